"""Several sinks on one index: a consumer group gives each a share of the partitions.

The group only says who has which partition numbers of `memories`; nothing is read through it. Each sink reads those
numbers of *both* topics by hand, from the positions in the index: so a memory and its facts, which have one partition
number, are always with one sink, and committed offsets decide nothing.

Handing over: a partition is only let go between two batches, when all that was read has been applied and its position
is in the index; the next owner asks the index for positions after the group gave it the partition. A sink that dies in
the middle of a batch leaves the position before it, and the batch is applied again.

A zombie, which was stopped for so long that the group has given its partitions away, may wake up in the middle of a
batch. It does no harm: the index refuses a point that is older than the stored one, by seq and by rank within a seq;
what it puts on the log is either under `hm-if-seq` or says what the other sink says too; and a position never moves
back. Where it moves one forward, it has applied all before it, so that is true whoever says it.
"""

import logging
from collections.abc import Mapping

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from hybrid_memory.index.store import TopicPartition as Place
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo, make_consumer
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record
from hybrid_memory.sink.reader import LogReader
from hybrid_memory.sink.state import Reassigned

_LOG = logging.getLogger(__name__)
_REFUSED = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "does not let us into the consumer group",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "does not let us read the topic",
    KafkaError.UNSUPPORTED_VERSION: "does not know the consumer protocol; set HM_KAFKA__GROUP_PROTOCOL=classic",
}


class Membership:
    """A place in the group that shares an index. Not thread-safe; `check` must be called more often than
    `max.poll.interval.ms`, or the group gives our share to others."""

    def __init__(self, settings: Settings, group: str, topic: TopicInfo) -> None:
        self.group = group
        self.partitions: frozenset[int] = frozenset()
        """Our share, as of the last `check`."""
        protocol = settings.kafka.get("group.protocol", "consumer")
        # The older protocol needs to be told to give and take single partitions.
        classic = {"partition.assignment.strategy": "cooperative-sticky"} if protocol == "classic" else {}
        self._consumer = make_consumer(settings, group, **{"group.protocol": protocol, **classic})
        self._consumer.subscribe([topic.name], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken)

    def check(self) -> frozenset[int]:
        """Hear what the group says, and answer it; our share from now on. Call it only when no batch is pending.

        Raises:
            Refusal: Kafka does not have us in the group.
        """
        message = self._consumer.poll(0)
        error = message.error() if message is not None else None
        if error is not None:
            if error.code() in _REFUSED:
                raise Refusal(f"Kafka {_REFUSED[error.code()]} ({self.group})")
            _LOG.debug("the consumer group: %s", error.str())  # librdkafka mends it, by joining anew if need be
        return self.partitions

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Publish positions for lag tools. Nothing reads them to start from, so a failure costs nothing."""
        offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            _LOG.debug("the watermark was not published", extra={"reason": str(error)})

    def close(self) -> None:
        """Leave the group, so that the others take over at once."""
        self._consumer.close()

    def _given(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Own them, and read nothing: that is another consumer's part."""
        consumer.incremental_assign([TopicPartition(place.topic, place.partition, OFFSET_END) for place in places])
        consumer.pause(places)
        self._become(self.partitions | {place.partition for place in places})

    def _taken(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_unassign(places)
        self._become(self.partitions - {place.partition for place in places})

    def _become(self, partitions: frozenset[int]) -> None:
        if partitions != self.partitions:
            _LOG.info("the share of this sink is now %s", sorted(partitions) or "empty")
        self.partitions = partitions


class SharedReader(LogReader):
    """Reads the share that a membership has now; over once that changes."""

    def __init__(
        self, settings: Settings, member: Membership, topics: tuple[TopicInfo, ...], start: Mapping[Place, int]
    ) -> None:
        self._member = member
        self._share = member.partitions
        super().__init__(settings, member.group, topics, start, self._share)

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """As :meth:`LogReader.poll`.

        Raises:
            LogMoved: as there.
            Reassigned: the share is another now; nothing has been read.
        """
        if self._member.check() != self._share:
            raise Reassigned("the group has given this sink another share of the partitions")
        return super().poll(limit, timeout)

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Only a member may commit for its group, so the membership does."""
        self._member.commit(positions)
