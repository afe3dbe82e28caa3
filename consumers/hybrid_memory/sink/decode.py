"""Records to what the fold takes, or to the reason why they never can be. Pure."""

from dataclasses import dataclass

from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.schemas import (
    DecodeError,
    ErrorClass,
    FactSuperseded,
    MemoryClassified,
    Record,
    decode_fact,
    decode_memory,
    if_seq,
    partition_of,
    split_fact_key,
    split_memory_key,
)
from hybrid_memory.sink.terms import AnyFact, Fact, Null, Unreadable, UnreadableFact, Write

STAGE = "sink"


@dataclass(frozen=True, slots=True)
class Dead:
    """A record that goes to the dead-letter topic."""

    record: Record
    failure: Failure


def read_memory(
    record: Record, partitions: int, answered: bool = False, whole_since: int = 0
) -> tuple[Write | Unreadable | None, Dead | None]:
    """A record of `memories`: what to fold, if anything, and the dead letter, if it is one."""
    try:
        event = decode_memory(record)
        _check_partition(event.key, record, partitions)
        return Write(record.offset, record.timestamp, event, if_seq(record), whole_since, answered), None
    except DecodeError as error:
        key = _memory_key(record, partitions)
        unreadable = Unreadable(record.offset, key, answered) if key else None
        return unreadable, None if answered else Dead(record, failure(error.error_class, error))


def read_fact(
    record: Record, partitions: int, topic_id: str, answered: bool = False
) -> tuple[AnyFact | None, Dead | None]:
    """A record of `memories.classified`: what to fold, if anything, and the dead letter, if it is one."""
    try:
        event = decode_fact(record)
        if isinstance(event, FactSuperseded):
            right = partition_of(event.memory_key, partitions) == record.partition
            return Null(event.memory_key, event.seq, event.generation, answered) if right else None, None
        _check_partition(event.memory.key, record, partitions)
        _check_origin(event, record, topic_id)
        return Fact(event, answered), None
    except DecodeError as error:
        unreadable = _unreadable_fact(record, partitions, answered)
        return unreadable, None if answered else Dead(record, failure(error.error_class, error))


def failure(error_class: ErrorClass, error: Exception, stack: str = "") -> Failure:
    """Why the sink cannot apply a record."""
    return Failure(error_class, type(error).__name__, str(error), STAGE, stack)


def _check_partition(key: str, record: Record, partitions: int) -> None:
    right = partition_of(key, partitions)
    if record.partition != right:
        raise DecodeError(
            "policy",
            f"the record stands in partition {record.partition}, its memory's is {right}; "
            "produce with partitioner=murmur2_random (Java's default)",
        )


def _check_origin(event: MemoryClassified, record: Record, topic_id: str) -> None:
    if event.origin.topic_id != topic_id:
        raise DecodeError("policy", f"its origin is the topic with id {event.origin.topic_id}, not ours ({topic_id})")
    if event.origin.partition != record.partition:
        raise DecodeError("policy", f"its origin is partition {event.origin.partition}, not its own {record.partition}")


def _memory_key(record: Record, partitions: int) -> str | None:
    """The key of the memory that the record would hide, were it left to stand alone."""
    try:
        key = (record.key or b"").decode()
        split_memory_key(key)
    except ValueError:
        return None
    return key if partition_of(key, partitions) == record.partition else None


def _unreadable_fact(record: Record, partitions: int, answered: bool) -> UnreadableFact | None:
    """The fact that the record would hide, were it left to stand alone."""
    try:
        key, seq, generation = split_fact_key((record.key or b"").decode())
    except ValueError:
        return None
    right = partition_of(key, partitions) == record.partition
    return UnreadableFact(key, seq, generation, answered) if right else None
