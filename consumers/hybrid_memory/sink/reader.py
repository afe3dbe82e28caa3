"""Reads both topics from given positions, and knows how far it has read."""

import logging
import threading
from collections.abc import Collection, Iterable, Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from hybrid_memory.index.store import TopicPartition as Place
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import PASSING, TopicInfo, make_consumer, publish_offsets, to_record
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record
from hybrid_memory.sink.state import LogMoved

_LOG = logging.getLogger(__name__)
_CLOSE_SECONDS = 2.0


class LogReader:
    """All partitions of some topics (or those of some numbers), assigned by hand: a restart waits for no group.
    Not thread-safe.

    A position passes over gaps that compaction left, since the end of a partition counts as read too.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Iterable[TopicInfo],
        start: Mapping[Place, int],
        numbers: Collection[int] | None = None,
    ) -> None:
        self._away = False
        self._consumer: Consumer = make_consumer(
            settings,
            group,
            **{
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "queued.max.messages.kbytes": 16_384,
                "error_cb": self._on_error,
            },
        )
        places = [
            (topic.name, number)
            for topic in topics
            for number in range(topic.partitions)
            if numbers is None or number in numbers
        ]
        self._read: dict[Place, int] = {place: start.get(place, 0) for place in places}
        self._ends: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._consumer.assign([TopicPartition(*place, start.get(place, OFFSET_BEGINNING)) for place in places])

    @property
    def positions(self) -> Mapping[Place, int]:
        """The next offset to read of each partition."""
        return self._read

    def check(self) -> None:
        """Once Kafka was found to be away, see whether it is back. Call it before `poll`.

        Raises:
            Unavailable: it is still away.
        """
        if not self._away or not self._read:
            return
        try:
            self.end(next(iter(self._read)))
        except Unavailable:
            raise Unavailable("Kafka does not answer; reading goes on when it is back") from None
        self._away = False

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records, at most `limit`; as soon as there is one, at the latest after `timeout` seconds.

        Raises:
            LogMoved: a partition cannot be read from where it should be.
        """
        first = self._consumer.poll(timeout)
        if first is None:
            return []
        messages = [first, *(self._consumer.consume(limit - 1, 0) if limit > 1 else [])]
        return [to_record(message) for message in messages if self._is_record(message)]

    def hold(self, places: set[Place]) -> None:
        """Read nothing more of these partitions, and of all others again."""
        for places_now, act in (
            (places - self._paused, self._consumer.pause),
            (self._paused - places, self._consumer.resume),
        ):
            if places_now:
                act([TopicPartition(*place) for place in places_now])
        self._paused = set(places)

    @property
    def at_end(self) -> bool:
        """Whether all that was in the log when it last answered has been read."""
        return all(self._ends.get(place, -1) <= position for place, position in self.positions.items()) and len(
            self._ends
        ) == len(self.positions)

    def end(self, place: Place) -> int:
        """The end offset of a partition, as the broker says now.

        Raises:
            Unavailable: it does not answer.
        """
        try:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=5)
        except KafkaException as error:
            raise Unavailable(f"Kafka does not say where {place[0]}/{place[1]} ends: {error.args[0].str()}") from error
        return int(high)

    def lag(self) -> dict[str, int]:
        """How many offsets of each topic are still to be read, by what the broker last said."""
        lags: dict[str, int] = {}
        for place, position in self.positions.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            lags[place[0]] = lags.get(place[0], 0) + max(0, high - position)
        return lags

    def commit(self, positions: Mapping[Place, int]) -> None:
        """As :func:`~hybrid_memory.runtime.kafka.publish_offsets`."""
        publish_offsets(self._consumer, positions)

    def close(self) -> None:
        """Let go of the connection. Waits a moment for a last commit, and no longer: Kafka may be away."""
        closing = threading.Thread(target=self._consumer.close, name="reader-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def _on_error(self, error: KafkaError) -> None:
        """Called within `poll` when all brokers are away, and for faults that concern no partition."""
        self._away = self._away or error.code() in PASSING

    def _is_record(self, message: Message) -> bool:
        place = (message.topic() or "", message.partition() or 0)
        error = message.error()
        if error is None:
            self._read[place] = (message.offset() or 0) + 1
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self._ends[place] = self._read[place] = max(self._read[place], message.offset() or 0)
            return False
        if error.code() in PASSING:
            self._away = True
            return False
        raise LogMoved(f"{place[0]}/{place[1]} cannot be read: {error.str()}")
