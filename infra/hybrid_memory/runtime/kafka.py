"""Kafka clients, made from settings, and what a process needs to know of a cluster."""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record

_T = TypeVar("_T")
_LOG = logging.getLogger("hybrid_memory.kafka")
_LOG.addHandler(logging.NullHandler())  # nothing on the terminal of an application that set up no logging
# What librdkafka says of a broker that is starting or away; our own code says it once, in its own words.
_REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
"""What a consumer only tells: librdkafka mends these by itself."""

_AWAY = PASSING | {
    # A broker that has just started, or a topic just made: who leads what has not got around yet.
    KafkaError._NOENT,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_CONTROLLER,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_LEADER_EPOCH,
}


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the cluster has it; the id changes when a topic of the same name is made anew."""

    name: str
    topic_id: str
    partitions: int


def client_config(settings: Settings, **ours: Any) -> dict[str, Any]:
    """Our keys, overruled by those of the operator, plus a logger that keeps librdkafka off the terminal."""
    return {
        "client.id": "hybrid-memory",
        "reconnect.backoff.max.ms": 1000,
        **ours,
        **settings.kafka,
        "bootstrap.servers": settings.bootstrap_servers,
        "logger": _LOG,
    }


def make_producer(settings: Settings, **ours: Any) -> Producer:
    """An idempotent producer, partitioned as every other writer of our topics is."""
    return _made(
        Producer,
        client_config(
            settings,
            **{
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "zstd",
                "linger.ms": 0,
                # The topics decide; a dead letter is larger than its record by the headers about the error.
                "message.max.bytes": 1_200_000,
                **ours,
            },
        ),
    )


def make_consumer(settings: Settings, group: str, **ours: Any) -> Consumer:
    """A consumer that commits only what it is told to."""
    return _made(
        Consumer,
        client_config(
            settings,
            **{
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # A record is handed over at once; this is only how often an idle reader asks again. At 5 ms that took
                # a fifth of the broker's core.
                "fetch.wait.max.ms": 100,
                **ours,
            },
        ),
    )


def _made(client: Callable[[dict[str, Any]], _T], config: dict[str, Any]) -> _T:
    """A client of this configuration; a key or value that librdkafka does not know is refused in its words."""
    try:
        return client(config)
    except KafkaException as error:
        raise Refusal(f"a setting HM_KAFKA__… is not right: {error.args[0].str()}") from None


def to_record(message: Message) -> Record:
    """A message as the rest of the product knows it."""
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp=message.timestamp()[1],
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=tuple((str(name), _bytes(value)) for name, value in list(message.headers() or ())),
    )


def publish_offsets(consumer: Consumer, positions: Mapping[tuple[str, int], int]) -> None:
    """Publish positions for lag tools. Nothing reads them to start from, so a failure costs nothing."""
    offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
    try:
        consumer.commit(offsets=offsets, asynchronous=True)
    except KafkaException as error:
        _LOG.debug("the watermark was not published", extra={"reason": str(error)})


class Cluster:
    """Questions to a cluster. Every answer comes within `timeout` seconds, or raises.

    Raises:
        Unavailable: the cluster does not answer; try again.
        Refusal: it answers, and does not let us in.
    """

    def __init__(self, settings: Settings, timeout: float = 10.0) -> None:
        self._settings = settings
        self._admin = _made(AdminClient, client_config(settings))
        self._timeout = timeout
        self._servers = settings.bootstrap_servers
        # Each asks for one group and joins none. The admin client's own question about a group's offsets aborts the
        # process where the broker dies at that moment (librdkafka 2.16: an assertion about its reference counts).
        self._groups: dict[str, Consumer] = {}

    @property
    def admin(self) -> AdminClient:
        """The admin client. Keep this object while its futures run: dropped early, they fail."""
        return self._admin

    def topics(self, names: Iterable[str]) -> dict[str, TopicInfo]:
        """Those of these topics that exist."""
        wanted = list(names)
        found = {}
        for name, future in self._call(self._admin.describe_topics, TopicCollection(wanted)).items():
            try:
                description = self.result(future)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise
            # In the URL-safe form, as Kafka's own tools print it.
            topic_id = str(description.topic_id).replace("+", "-").replace("/", "_")
            found[name] = TopicInfo(name, topic_id, len(description.partitions))
        return found

    def ends(self, topic: TopicInfo) -> dict[int, int]:
        """The end offset of each partition: the offset that the next record will get."""
        return self._offsets(topic, OffsetSpec.latest())

    def starts(self, topic: TopicInfo) -> dict[int, int]:
        """The first offset that each partition still has."""
        return self._offsets(topic, OffsetSpec.earliest())

    def config(self, topic: str) -> dict[str, str]:
        """The settings that a topic has on the cluster."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        [future] = self._call(self._admin.describe_configs, [resource]).values()
        return {name: entry.value for name, entry in self.result(future).items()}

    def committed(self, group_prefix: str, topics: Iterable[TopicInfo]) -> dict[tuple[str, int], int]:
        """The furthest offset of each partition that any group of this prefix has committed."""
        topics = list(topics)
        listed = self.result(self._admin.list_consumer_groups(request_timeout=self._timeout)).valid
        furthest: dict[tuple[str, int], int] = {}
        for group in (found.group_id for found in listed if found.group_id.startswith(group_prefix)):
            for place, offset in self.committed_by(group, topics).items():
                furthest[place] = max(furthest.get(place, 0), offset)
        return furthest

    def committed_by(self, group: str, topics: Iterable[TopicInfo]) -> dict[tuple[str, int], int]:
        """The offset of each partition that this group has committed; a partition of which it has not is left out."""
        asked = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        if group not in self._groups:
            self._groups[group] = make_consumer(self._settings, group)
        try:
            answer = self._groups[group].committed(asked, self._timeout)
        except KafkaException as error:
            raise self.translated(error) from error
        for fault in (place.error for place in answer if place.error is not None):
            raise self.translated(KafkaException(fault))
        return {(place.topic, place.partition): place.offset for place in answer if place.offset > 0}

    def result(self, future: "Future[_T]") -> _T:
        """The answer of an admin call's future, its errors in our words."""
        try:
            return future.result(self._timeout)
        except TimeoutError as error:
            raise self._unavailable() from error
        except KafkaException as error:
            raise self.translated(error) from error

    def translated(self, error: KafkaException) -> Exception:
        """`error` as Unavailable or Refusal where it is one, else itself."""
        reason: KafkaError = error.args[0]
        if reason.code() in _REFUSED:
            return Refusal(f"Kafka at {self._servers} does not let us in: {reason.str()}")
        if reason.retriable() or reason.code() in _AWAY:
            return self._unavailable()
        return error

    def _offsets(self, topic: TopicInfo, spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic.name, number): spec for number in range(topic.partitions)}
        answers = self._call(self._admin.list_offsets, asked)
        try:
            return {tp.partition: self.result(future).offset for tp, future in answers.items()}
        except Unavailable:
            # Where leaders have changed, an admin client goes on asking with the epochs that it knows from before.
            self._admin = _made(AdminClient, client_config(self._settings))
            raise

    def _call(self, method: Any, argument: Any) -> Any:
        return method(argument, request_timeout=self._timeout)

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"Kafka at {self._servers} does not answer")


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
