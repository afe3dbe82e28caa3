"""Sending events and waiting until they are durable, many at a time and never too many."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from hybrid_memory.client.errors import Failure, NotDelivered, SomeNotDelivered
from hybrid_memory.client.events import Added
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.schemas import Memory, MemoryEvent, NewRecord, Position

IN_FLIGHT = 2000
"""How many records may wait for Kafka at once: enough to keep it busy, a few megabytes at most."""

Outcome = Position | NotDelivered

_T = TypeVar("_T")


class Sender(Protocol):
    """A `Publisher`, as far as is needed here."""

    def send(self, record: NewRecord) -> "Future[Position]": ...


def deliver(
    sender: Sender, events: Iterable[tuple[_T, MemoryEvent, NewRecord]], in_flight: int = IN_FLIGHT
) -> Iterator[tuple[_T, Outcome]]:
    """Send each event's record, and say for each, in order, where it landed or why it did not.

    Reads on only while fewer than `in_flight` wait, and says what is settled before it does; the tag of each event
    comes back with its outcome.
    """
    waiting: deque[tuple[_T, MemoryEvent, Future[Position]]] = deque()
    for tag, event, record in events:
        waiting.append((tag, event, start(sender, record)))
        while waiting and (waiting[0][2].done() or len(waiting) >= in_flight):
            yield _settled(*waiting.popleft())
    while waiting:
        yield _settled(*waiting.popleft())


def start(sender: Sender, record: NewRecord) -> "Future[Position]":
    """Send a record; what `send` raises is in the future too."""
    try:
        return sender.send(record)
    except (Unavailable, Refusal) as error:
        failed: Future[Position] = Future()
        failed.set_exception(error)
        return failed


def outcome(event: MemoryEvent, future: "Future[Position]") -> Outcome:
    """What became of an event's record. Waits for it."""
    try:
        return future.result()
    except (Unavailable, Refusal) as error:
        return not_delivered(event, error)


def _settled(tag: _T, event: MemoryEvent, future: "Future[Position]") -> tuple[_T, Outcome]:
    return tag, outcome(event, future)


def not_delivered(event: MemoryEvent, error: Exception) -> NotDelivered:
    """The reason why an event was not delivered, with the event."""
    failure = NotDelivered(event, str(error), retriable=isinstance(error, Unavailable))
    failure.__cause__ = error
    return failure


def all_added(memories: Sequence[Memory], outcomes: Sequence[Outcome]) -> list[Added]:
    """Where each memory landed.

    Raises:
        SomeNotDelivered: not all did.
    """
    pairs = list(enumerate(zip(memories, outcomes, strict=True)))
    added = {i: Added(memory.memory_id, landed) for i, (memory, landed) in pairs if isinstance(landed, Position)}
    failed = [Failure(i, landed) for i, (_, landed) in pairs if isinstance(landed, NotDelivered)]
    if failed:
        raise SomeNotDelivered(failed, added)
    return list(added.values())
