"""Reads one partition from one offset to before another. The end is reached at the first offset at or past it, or where
the partition ends: compaction may have taken the last record away."""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import PASSING, make_consumer, to_record
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record

_GROUP = "hm-replay-reader"  # never committed to
_BATCH = 500
_WAIT_SECONDS = 0.2
_SILENT_SECONDS = 10.0


class Reader:
    """A consumer without a group, which reads one range after another. Not thread-safe.

    `position` is the offset after all that was read, gaps that compaction left included. `wait_ms` is how often Kafka
    is asked for more where there is none, and how long the change to another range may take: more for a reader that
    stays.
    """

    def __init__(self, settings: Settings, wait_ms: int = 5) -> None:
        self._consumer: Consumer = make_consumer(
            settings,
            _GROUP,
            **{"enable.partition.eof": True, "fetch.wait.max.ms": wait_ms, "auto.offset.reset": "earliest"},
        )
        self.position = 0
        self._known: set[str] = set()
        self._turn: object | None = None

    def read(self, topic: str, partition: int, begin: int, end: int, limit: int = _BATCH) -> Iterator[list[Record]]:
        """The records of the range, at most `limit` at a time. A list may be empty: then nothing came for a moment.

        Raises:
            Unavailable: Kafka has said nothing for ten seconds; read again from `position`.
            Refusal: the partition cannot be read at all.
        """
        for messages in self._read(topic, partition, begin, end, limit):
            yield [to_record(message) for message in messages]

    def keys(self, topic: str, partition: int, begin: int, end: int) -> Iterator[list[tuple[bytes, int]]]:
        """Key and offset of each record of the range, in a third of the time. Raises as `read`."""
        for messages in self._read(topic, partition, begin, end, _BATCH):
            yield [(_key(message), message.offset() or 0) for message in messages]

    def end(self, topic: str, partition: int) -> int:
        """Where a partition ends now: the offset that its next record will get.

        Raises:
            Unavailable: Kafka does not answer.
        """
        try:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_SILENT_SECONDS)
        except KafkaException as error:
            raise Unavailable(f"Kafka does not say where {topic} ends: {error.args[0].str()}") from error
        return int(high)

    def close(self) -> None:
        """Let go of the connection."""
        self._turn = None
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _meet(self, topic: str) -> None:
        """Ask who leads a topic that is new to this consumer: else that is found out up to a second after `assign`."""
        if topic in self._known:
            return
        try:
            self._consumer.list_topics(topic, timeout=_SILENT_SECONDS)
        except KafkaException as error:
            raise Unavailable(f"Kafka does not say who leads {topic}: {error.args[0].str()}") from error
        self._known.add(topic)

    def _read(self, topic: str, partition: int, begin: int, end: int, limit: int) -> Iterator[list[Message]]:
        self.position, heard = begin, time.monotonic()
        if begin >= end:
            return
        self._meet(topic)
        self._consumer.assign([TopicPartition(topic, partition, begin)])
        turn = self._turn = object()
        try:
            while self.position < end:
                messages = self._next(limit)
                if messages:
                    heard = time.monotonic()
                elif time.monotonic() - heard > _SILENT_SECONDS:
                    raise Unavailable(f"Kafka has said nothing of {topic} for {_SILENT_SECONDS:.0f} s")
                yield [message for message in messages if self._takes(message, partition, end)]
        except KafkaException as error:
            raise Unavailable(f"topic {topic} cannot be read now: {error.args[0].str()}") from error
        finally:
            if self._turn is turn:  # not where another range is read already
                self._consumer.unassign()  # or it would go on fetching

    def _next(self, limit: int) -> list[Message]:
        """What is there; waits for the first alone, since `consume` would wait for all of them."""
        first = self._consumer.poll(_WAIT_SECONDS)
        return [] if first is None else [first, *self._consumer.consume(max(1, limit - 1), 0)]

    def _takes(self, message: Message, partition: int, end: int) -> bool:
        """Whether this is a record of the range; moves the position on."""
        if message.partition() != partition or self.position >= end:
            return False
        error, offset = message.error(), message.offset() or 0
        if error is None:
            self.position = min(offset + 1, end)
            return offset < end
        if error.code() == KafkaError._PARTITION_EOF:
            self.position = end if offset >= end else self.position
        elif error.code() not in PASSING and not error.retriable():
            raise Refusal(f"topic {message.topic()} cannot be read: {error.str()}")
        return False


def _key(message: Message) -> bytes:
    key = message.key() or b""
    return key.encode() if isinstance(key, str) else key
