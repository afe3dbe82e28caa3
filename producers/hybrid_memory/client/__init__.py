"""Publish memories from an application.

    with MemoryClient("localhost:9092") as client:
        client.add("alice", "I love spicy Thai food")

Needs the base dependencies alone.
"""

from hybrid_memory.client.asynchronous import AsyncMemoryClient
from hybrid_memory.client.client import MemoryClient
from hybrid_memory.client.errors import (
    ClientClosed,
    Failure,
    FieldError,
    InvalidMemory,
    MemoryClientError,
    NotDelivered,
    SomeNotDelivered,
)
from hybrid_memory.client.events import Added
from hybrid_memory.schemas import Memory, MemoryDeleted, Position

__all__ = [
    "Added",
    "AsyncMemoryClient",
    "ClientClosed",
    "Failure",
    "FieldError",
    "InvalidMemory",
    "Memory",
    "MemoryClient",
    "MemoryClientError",
    "MemoryDeleted",
    "NotDelivered",
    "Position",
    "SomeNotDelivered",
]
