"""What the client hands back, and how events become records."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybrid_memory.schemas import MemoryEvent, NewRecord, Position, encode_memory

SOURCE = "urn:hybrid-memory:client"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Added:
    """A memory that is durable: its id, and where it stands in the log."""

    memory_id: str
    position: Position


def to_record(event: MemoryEvent, traceparent: str | None = None, *, source: str = SOURCE) -> NewRecord:
    """The record that says `event`; `source` is its `ce_source`."""
    return encode_memory(event, source=source, trace=w3c_headers(traceparent))


def w3c_headers(traceparent: str | None, tracestate: str | None = None) -> Iterator[tuple[str, bytes]]:
    """The headers that hand a W3C trace context on; one that is not well formed is left out, as W3C asks."""
    if traceparent is not None and _TRACEPARENT.fullmatch(traceparent):
        yield "traceparent", traceparent.encode()
        if tracestate and len(tracestate) <= 512 and tracestate.isascii():
            yield "tracestate", tracestate.encode()
