"""A record as Kafka carries it, free of any client library."""

from collections.abc import Iterator
from dataclasses import dataclass

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read: where it stood, and what it said.

    `topic` is the name on the cluster (prefix included); `timestamp` is the append time in milliseconds.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> str | None:
        """The last header of this name as text, or None. Undecodable bytes are replaced."""
        for key, value in reversed(self.headers):
            if key == name and value is not None:
                return value.decode(errors="replace")
        return None


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to be written. `topic` is the name in the registry; without a partition the key decides.

    `timestamp` (ms) is for a copy that keeps the time of its original.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    timestamp: int | None = None


def trace_headers(record: Record) -> Iterator[tuple[str, bytes | None]]:
    """The W3C trace context of a record, to be handed on at every hop."""
    return ((key, value) for key, value in record.headers if key in ("traceparent", "tracestate"))
