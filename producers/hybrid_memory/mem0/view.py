"""Keeps `There` at the end of `memories`."""

import time

from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition

from hybrid_memory.mem0.there import There
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster, TopicInfo, make_consumer, to_record
from hybrid_memory.runtime.reading import GROUP
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import partition_of

_SILENT_SECONDS = 15.0
_BATCH = 1000
_READ_AHEAD_KB = 8192


class View:
    """Reads `memories` from its beginning, and from there on. Not thread-safe."""

    def __init__(self, settings: Settings, cluster: Cluster, topic: TopicInfo, there: There) -> None:
        self.there = there
        self._cluster, self._topic = cluster, topic
        self._next = dict.fromkeys(range(topic.partitions), 0)
        reading = {"enable.partition.eof": True, "fetch.wait.max.ms": 20, "queued.max.messages.kbytes": _READ_AHEAD_KB}
        self._consumer = make_consumer(settings, GROUP, **reading)
        self._begin()

    def catch_up(self) -> None:
        """Read all that the log holds at this moment.

        Raises:
            Unavailable: Kafka does not answer; call it again.
            Refusal: it does not let us read.
        """
        ends = self._cluster.ends(self._topic)
        if any(end < self._next[number] for number, end in ends.items()):
            self._begin()  # the topic was made anew: nothing that we know holds
        heard = time.monotonic()
        while any(self._next[number] < end for number, end in ends.items()):
            messages = self._some()
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENT_SECONDS:
                raise Unavailable(f"Kafka said nothing of {self._topic.name} for {_SILENT_SECONDS:.0f} s")
            for message in messages:
                self._take(message)

    def condition(self, key: str) -> int:
        """The `hm-if-seq` of a record that knows of all that was read: it loses to whatever came since."""
        return max(0, self._next[partition_of(key, self._topic.partitions)] - 1)

    def close(self) -> None:
        """Let go of connection and table."""
        self._consumer.close()
        self.there.close()

    def _begin(self) -> None:
        self.there.clear()
        self._next = dict.fromkeys(self._next, 0)
        self._consumer.assign([TopicPartition(self._topic.name, number, OFFSET_BEGINNING) for number in self._next])

    def _some(self) -> list[Message]:
        """What is there; waits for the first alone, since `consume` would wait for all of them."""
        first = self._consumer.poll(0.5)
        return [] if first is None else [first, *self._consumer.consume(_BATCH - 1, 0)]

    def _take(self, message: Message) -> None:
        error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is None:
            self.there.apply(to_record(message))
            self._next[number] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            self._next[number] = max(self._next[number], offset)  # past what compaction has taken
        elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            raise Refusal(f"Kafka does not let us read {self._topic.name}: {error.str()}")
        # Anything else librdkafka mends by itself, or we fall silent over it.
