"""Appends records and says where each one landed, once it is durable."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster, make_producer
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import NewRecord, Position


class Publisher:
    """A producer whose every record has a future of its own.

    Thread-safe; `send` never blocks on the network but for the first record of a topic. A future resolves to
    the record's position once all in-sync replicas have it, or raises `Unavailable` (not written within
    `delivery_timeout` seconds; may be tried again) or `Refusal` (Kafka will not have it).
    """

    def __init__(self, settings: Settings, delivery_timeout: float = 30.0, **config: Any) -> None:
        timeout = int(delivery_timeout * 1000)
        self._settings = settings
        self._producer = make_producer(settings, **{"delivery.timeout.ms": timeout, **config})
        self._cluster = Cluster(settings, timeout=delivery_timeout)
        self._topic_ids: dict[str, str] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    def send(self, record: NewRecord) -> "Future[Position]":
        """Append a record.

        Raises:
            Unavailable: the local queue is full, or Kafka does not answer for a topic's first record.
            Refusal: the topic does not exist, or the record is larger than its topic allows.
        """
        topic = self._settings.topic_prefix + record.topic
        topic_id = self._topic_id(topic)
        future: Future[Position] = Future()
        target = {} if record.partition is None else {"partition": record.partition}
        try:
            self._producer.produce(
                topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                on_delivery=_resolver(future, topic_id),
                **target,
            )
        except BufferError:
            raise Unavailable("too many records wait for Kafka") from None
        except KafkaException as error:
            raise _translated(error.args[0]) from error
        return future

    def send_all(self, records: Sequence[NewRecord]) -> list[Position]:
        """Append records and wait until all are durable. Raises what the first failed one raised."""
        return [future.result() for future in [self.send(record) for record in records]]

    def close(self, timeout: float = 10.0) -> None:
        """Wait until what was sent is durable, at most `timeout` seconds, and end."""
        if not self._closed.is_set():
            self._producer.flush(timeout)
            self._closed.set()
            self._thread.join(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _topic_id(self, topic: str) -> str:
        known = self._topic_ids.get(topic)
        if known is None:
            info = self._cluster.topics([topic]).get(topic)
            if info is None:
                raise Refusal(f"topic {topic} does not exist; make it with: hm topics apply")
            known = self._topic_ids[topic] = info.topic_id
        return known

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)


def _resolver(future: "Future[Position]", topic_id: str) -> Callable[[KafkaError | None, Message], None]:
    def resolve(error: KafkaError | None, message: Message) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(_translated(error))
        else:
            future.set_result(Position(topic_id=topic_id, partition=message.partition(), offset=message.offset()))

    return resolve


def _translated(error: KafkaError) -> Exception:
    """Kafka's reason as ours."""
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return Refusal("the record is larger than Kafka takes (message.max.bytes)")
    if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
        return Refusal(f"Kafka does not let us write: {error.str()}")
    if error.fatal():
        return Refusal(f"Kafka's producer cannot go on: {error.str()}")
    return Unavailable(f"Kafka did not take the record: {error.str()}")
