"""A place in a consumer group that only says who has which partitions: nothing is read through it, and where anybody
stands is kept elsewhere."""

import logging
from collections.abc import Callable, Mapping

from confluent_kafka import OFFSET_END, Consumer, KafkaError, TopicPartition

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo, make_consumer, publish_offsets
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)
_REFUSED = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "does not let us into the consumer group",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "does not let us read the topic",
    KafkaError.UNSUPPORTED_VERSION: "does not know the consumer protocol; set HM_KAFKA__GROUP_PROTOCOL=classic",
}


def refuse(error: KafkaError, group: str) -> None:
    """Do nothing where librdkafka mends it, by joining anew if need be.

    Raises:
        Refusal: Kafka does not have us in the group.
    """
    if error.code() in _REFUSED:
        raise Refusal(f"Kafka {_REFUSED[error.code()]} ({group})")
    _LOG.debug("the consumer group: %s", error.str())


class Membership:
    """A share of a topic's partitions. Not thread-safe; `check` must be called more often than `max.poll.interval.ms`,
    or the group gives our share to others. `told` hears of each new share; `config` is more of
    librdkafka's keys.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        topic: TopicInfo,
        told: Callable[[frozenset[int]], None] = lambda _: None,
        config: Mapping[str, object] | None = None,
    ) -> None:
        self.group = group
        self.partitions: frozenset[int] = frozenset()
        """Our share, as of the last `check`."""
        self._told = told
        protocol = settings.kafka.get("group.protocol", "consumer")
        # The older protocol needs to be told to give and take single partitions.
        classic = {"partition.assignment.strategy": "cooperative-sticky"} if protocol == "classic" else {}
        self._consumer = make_consumer(settings, group, **{"group.protocol": protocol, **(config or {}), **classic})
        self._consumer.subscribe([topic.name], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken)

    def check(self) -> frozenset[int]:
        """Hear what the group says, and answer it: our share from now on. Call it only when nothing is pending for the
        present one.

        Raises:
            Refusal: Kafka does not have us in the group.
        """
        message = self._consumer.poll(0)
        error = message.error() if message is not None else None
        if error is not None:
            refuse(error, self.group)
        return self.partitions

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        """As :func:`~hybrid_memory.runtime.kafka.publish_offsets`: only a member may, for its group."""
        publish_offsets(self._consumer, positions)

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
            self._told(partitions)
        self.partitions = partitions
