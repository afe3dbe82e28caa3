"""Writes over HTTP: a router for the app that serves port 8765."""

from hybrid_memory.ingest.ports import Describe, Look, Outcome, Shown, Waiter, Writer
from hybrid_memory.ingest.router import make_router
from hybrid_memory.ingest.writer import KafkaWriter

__all__ = ["Describe", "KafkaWriter", "Look", "Outcome", "Shown", "Waiter", "Writer", "make_router"]
