"""Publish memories from an application.

    with MemoryClient("localhost:9092") as client:
        client.add("alice", "I love spicy Thai food")

Needs the base dependencies alone; `HttpMemoryClient`, which goes through the HTTP API instead, needs httpx too.
"""

from hybrid_memory.client.asynchronous import AsyncMemoryClient
from hybrid_memory.client.client import MemoryClient
from hybrid_memory.client.errors import (
    ClientClosed,
    ClientRefused,
    Failure,
    FieldError,
    InvalidCall,
    InvalidMemory,
    MemoryClientError,
    NotDelivered,
    SomeNotDelivered,
)
from hybrid_memory.client.events import Added
from hybrid_memory.client.http_async import AsyncHttpMemoryClient
from hybrid_memory.client.http_client import HttpMemoryClient
from hybrid_memory.client.http_errors import (
    EditLost,
    NoSuchMemory,
    NotAllowed,
    RequestRefused,
    ServiceAway,
    ServiceError,
)
from hybrid_memory.schemas import Memory, MemoryDeleted, Position

__all__ = [
    "Added",
    "AsyncHttpMemoryClient",
    "AsyncMemoryClient",
    "ClientClosed",
    "ClientRefused",
    "EditLost",
    "Failure",
    "FieldError",
    "HttpMemoryClient",
    "InvalidCall",
    "InvalidMemory",
    "Memory",
    "MemoryClient",
    "MemoryClientError",
    "MemoryDeleted",
    "NoSuchMemory",
    "NotAllowed",
    "NotDelivered",
    "Position",
    "RequestRefused",
    "ServiceAway",
    "ServiceError",
    "SomeNotDelivered",
]
