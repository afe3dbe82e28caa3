"""Hints as the doors write them: that a memory in Mem0 may have changed."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from hybrid_memory.mem0.states import Mem0Memory
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import NewRecord, Position, partition_of
from hybrid_memory.schemas.mem0 import Door, Mem0Event, Mem0Hint, Mem0Read, Mem0Scope, encode_mem0

MAX_READ_BYTES = 500_000
"""A bulk read's finding that is larger is left out of the hint: the publisher asks for it."""


def hint(mem0_id: str, door: Door, *, project: str | None = None, scope: Mem0Scope | None = None) -> Mem0Hint:
    """A hint that the publisher follows by asking Mem0.

    Raises:
        pydantic.ValidationError: the id is none.
    """
    return Mem0Hint(mem0_id=mem0_id, project=project, door=door, at=datetime.now(UTC), scope=scope)


def hint_with(
    memory: Mem0Memory, door: Door, *, project: str, hints_end: int, classifiers: Sequence[str] = ()
) -> Mem0Hint:
    """A hint that carries what a bulk read found, so that a memory which is new here needs no second read.

    `hints_end` is where the hint's partition (`hint_partition`) of `mem0.hints` ended before Mem0 was asked; earlier is
    safe, later is not. `classifiers` are those that were made of its text beforehand.

    Raises:
        pydantic.ValidationError: the memory has no id that could be one.
    """
    found = Mem0Read(memory=memory.raw, hints_end=hints_end, classifiers=tuple(classifiers) or None)
    small = len(found.model_dump_json()) <= MAX_READ_BYTES
    plain = hint(memory.id, door, project=project, scope=memory.scope)
    return plain.model_copy(update={"read": found}) if small else plain


def hint_partition(mem0_id: str, partitions: int) -> int:
    """The partition of `mem0.hints` in which all hints of a memory stand."""
    return partition_of(mem0_id, partitions)


def records(events: Iterable[Mem0Event]) -> list[NewRecord]:
    """The records of these hints and bookmarks, for `Publisher.append`."""
    return [encode_mem0(event) for event in events]


def send(publisher: Publisher, events: Iterable[Mem0Event]) -> list[Position]:
    """Append hints or bookmarks and wait until all are durable. A bookmark goes after the hints that it stands for, in
    a call of its own.

    Raises:
        Unavailable: not all were confirmed; send them again.
        Refusal: Kafka will not have them, or the topic is missing.
    """
    return publisher.send_all(records(events))
