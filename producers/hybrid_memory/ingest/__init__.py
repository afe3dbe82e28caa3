"""Writes over HTTP: a router for the app that serves port 8765."""

from hybrid_memory.ingest.ports import Describe, Outcome, Waiter, Writer
from hybrid_memory.ingest.router import make_router
from hybrid_memory.ingest.writer import KafkaWriter

__all__ = ["Describe", "KafkaWriter", "Outcome", "Waiter", "Writer", "make_router"]
