"""Takes records from a topic, as a member of a group."""

import logging
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import TopicInfo, make_consumer, to_record
from hybrid_memory.runtime.membership import refuse
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record

_LOG = logging.getLogger(__name__)
_LONGEST_BATCH_MS = 30 * 60 * 1000
"""Mem0 may be away for a while; who dies is missed by his heartbeats, whatever this says."""
_READ_AHEAD_KB = 1024
"""What waits in this process while Mem0 is asked. librdkafka holds several times as much, in whole fetches."""
# Somebody else has the partitions now, and will take these again.
_NOT_OURS = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError._NO_OFFSET,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._STATE,
}


def group_of(settings: Settings, project: str) -> str:
    """The group of all publishers of a project."""
    return f"{settings.topic_prefix}hm-mem0-publish-{project}"


class Intake:
    """A place in the group. Not thread-safe; partitions come and go only within `take`."""

    def __init__(
        self, settings: Settings, topic: TopicInfo, group: str, on_given: Sequence[Callable[[int], None]] = ()
    ) -> None:
        """`on_given` hear of each partition that becomes ours."""
        self._group, self._on_given = group, on_given
        self._taken: dict[int, int] = {}
        protocol = settings.kafka.get("group.protocol", "consumer")
        self._consumer = make_consumer(
            settings,
            self._group,
            **{
                "group.protocol": protocol,
                "max.poll.interval.ms": _LONGEST_BATCH_MS,
                "queued.max.messages.kbytes": _READ_AHEAD_KB,
            },
        )
        self._topic = topic.name
        self._consumer.subscribe([topic.name], on_assign=self._given)

    def take(self, limit: int, seconds: float = 0.1) -> list[Record]:
        """At most `limit` records, in order within a partition; none where none comes within `seconds`.

        Raises:
            Refusal: Kafka does not have us in the group.
        """
        first = self._consumer.poll(seconds)
        messages = [] if first is None else [first, *self._consumer.consume(max(1, limit - 1), 0)]
        records = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(to_record(message))
            else:
                refuse(error, self._group)
        self._taken.update((record.partition, record.offset + 1) for record in records)
        return records

    def commit(self) -> None:
        """What was taken is done with. Call it last of all.

        Raises:
            Unavailable: Kafka does not answer; call it again.
        """
        places = [TopicPartition(self._topic, number, offset) for number, offset in self._taken.items()]
        if not places:
            return
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _NOT_OURS:
                raise Unavailable(f"Kafka does not keep what was done: {error.args[0].str()}") from error
            _LOG.info("somebody else has taken these over: %s", error.args[0].str())
        self._taken.clear()

    def close(self) -> None:
        """Leave the group, so that the others take over at once."""
        self._consumer.close()

    def _given(self, _: Consumer, places: list[TopicPartition]) -> None:
        for place in places:
            for tell in self._on_given:
                tell(place.partition)
