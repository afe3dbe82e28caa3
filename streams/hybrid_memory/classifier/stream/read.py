"""Records of `memories` to what is to be classified, or to why nothing is. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hybrid_memory.classifier.process import Task
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import DecodeError, MemoryDeleted, Position, Record, decode_memory, partition_of

Reason = Literal["deleted", "provided", "expired", "unreadable", "misplaced"]


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that needs nothing of a classifier.

    `unreadable` and `misplaced` ones are the sink's to dead-letter.
    """

    reason: Reason


def read(record: Record, topic: TopicInfo, now: datetime) -> Task | Skip:
    """What a record of `topic` asks for."""
    try:
        memory = decode_memory(record)
    except DecodeError:
        return Skip("unreadable")
    if partition_of(memory.key, topic.partitions) != record.partition:
        return Skip("misplaced")
    if isinstance(memory, MemoryDeleted):
        return Skip("deleted")
    if memory.classifiers is not None:
        return Skip("provided")
    if memory.expires_at is not None and memory.expires_at <= now:
        return Skip("expired")
    return Task(memory, Position(topic_id=topic.topic_id, partition=record.partition, offset=record.offset))


def to_record(message: Any) -> Record:
    """A message of Faust's as the rest of the product knows it."""
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=round((message.timestamp or 0) * 1000),
        key=message.key,
        value=message.value,
        headers=tuple((str(name), value) for name, value in message.headers or ()),
    )
