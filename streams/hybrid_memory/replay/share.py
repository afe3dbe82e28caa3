"""Several workers on one job: a consumer group gives each a share of the partitions.

The group only says who has which. Nothing is read through it and nothing committed to it: how far a job is stands in
`replays`, since a group's offsets expire while a job is paused for a month.
"""

import logging

from confluent_kafka import OFFSET_END, Consumer, KafkaError, TopicPartition

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo, make_consumer
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)
_LONGEST_BATCH_MS = 30 * 60 * 1000
"""Between two checks a batch is classified. Who dies is missed by his heartbeats, whatever this says."""
_REFUSED = {
    KafkaError.GROUP_AUTHORIZATION_FAILED: "does not let us into the consumer group",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "does not let us read the topic",
    KafkaError.UNSUPPORTED_VERSION: "does not know the consumer protocol; set HM_KAFKA__GROUP_PROTOCOL=classic",
}


class Share:
    """A place in the group of a job. Not thread-safe."""

    def __init__(self, settings: Settings, job: str, topic: TopicInfo) -> None:
        self._group = f"{settings.topic_prefix}hm-replay-{job}"
        self.partitions: frozenset[int] = frozenset()
        """Ours, as of the last `check`."""
        protocol = settings.kafka.get("group.protocol", "consumer")
        classic = {"partition.assignment.strategy": "cooperative-sticky"} if protocol == "classic" else {}
        self._consumer = make_consumer(
            settings, self._group, **{"group.protocol": protocol, "max.poll.interval.ms": _LONGEST_BATCH_MS, **classic}
        )
        self._consumer.subscribe([topic.name], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken)

    def check(self) -> frozenset[int]:
        """Hear what the group says, and answer it: our partitions from now on. Call it when all that was sent for the
        present ones is durable and said to be.

        Raises:
            Refusal: Kafka does not have us in the group.
        """
        message = self._consumer.poll(0)
        error = message.error() if message is not None else None
        if error is not None:
            if error.code() in _REFUSED:
                raise Refusal(f"Kafka {_REFUSED[error.code()]} ({self._group})")
            _LOG.debug("the consumer group: %s", error.str())  # librdkafka mends it, by joining anew if need be
        return self.partitions

    def close(self) -> None:
        """Leave the group, so that the others take over at once."""
        self._consumer.close()

    def _given(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_assign([TopicPartition(place.topic, place.partition, OFFSET_END) for place in places])
        consumer.pause(places)
        self.partitions |= {place.partition for place in places}

    def _taken(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_unassign(places)
        self.partitions -= {place.partition for place in places}
