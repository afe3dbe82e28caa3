"""Records to what is to be classified."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hybrid_memory.classifier.process import Task
from hybrid_memory.classifier.stream.read import Skip, read, to_record
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import Memory, MemoryDeleted, MemoryEvent, Position, Record, encode_memory, partition_of

TOPIC = TopicInfo("t.memories", "topic-id", 8)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(event: MemoryEvent) -> Record:
    new = encode_memory(event)
    return Record(TOPIC.name, partition_of(event.key, 8), 41, 1_767_225_600_123, new.key, new.value, new.headers)


def memory(**fields: Any) -> Memory:
    return Memory.new(user_id="ann", text="I love sushi", **fields)


def test_a_memory_is_a_task_that_knows_its_origin() -> None:
    found = read(record(memory()), TOPIC, NOW)
    assert isinstance(found, Task)
    assert found.memory.text == "I love sushi"
    assert found.origin == Position(topic_id="topic-id", partition=partition_of(found.memory.key, 8), offset=41)


def test_what_needs_no_classifier_is_skipped() -> None:
    late, later = NOW, NOW + timedelta(seconds=1)
    assert read(record(MemoryDeleted(user_id="ann", memory_id="m")), TOPIC, NOW) == Skip("deleted")
    assert read(record(memory(classifiers=("mine",))), TOPIC, NOW) == Skip("provided")
    assert read(record(memory(classifiers=())), TOPIC, NOW) == Skip("provided")
    assert read(record(memory(expires_at=late)), TOPIC, NOW) == Skip("expired")
    assert isinstance(read(record(memory(expires_at=later)), TOPIC, NOW), Task)


def test_what_is_the_sinks_to_dead_letter_is_skipped() -> None:
    good = record(memory())
    assert read(replace(good, value=b"\xff"), TOPIC, NOW) == Skip("unreadable")
    assert read(replace(good, key=None), TOPIC, NOW) == Skip("unreadable")
    assert read(replace(good, value=b"[" * 100_000), TOPIC, NOW) == Skip("unreadable")
    assert read(replace(good, partition=(good.partition + 1) % 8), TOPIC, NOW) == Skip("misplaced")


def test_a_message_of_fausts_is_the_same_record() -> None:
    good = record(memory())
    message = SimpleNamespace(
        topic=good.topic,
        partition=good.partition,
        offset=good.offset,
        timestamp=good.timestamp / 1000,
        key=good.key,
        value=good.value,
        headers=good.headers,
    )
    assert to_record(message) == good
    message.headers, message.value, message.timestamp = None, None, None
    assert to_record(message) == replace(good, headers=(), value=None, timestamp=0)
