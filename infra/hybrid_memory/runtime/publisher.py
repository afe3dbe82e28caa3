"""Appends records and says where each one landed, once it is durable."""

import asyncio
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

Outcome = Position | Unavailable | Refusal
"""What became of a record: where it landed, or why it did not."""


class Publisher:
    """A producer whose every record has a future of its own.

    Thread-safe; `send` never blocks on the network but for the first record of a topic (`prepare` does that
    beforehand). A future resolves to the record's position once all in-sync replicas have it, or raises
    `Unavailable` (not confirmed within `delivery_timeout` seconds; may be tried again) or `Refusal` (Kafka will
    not have it). A record that was not confirmed may still have been written: its confirmation can get lost.
    """

    def __init__(self, settings: Settings, delivery_timeout: float = 30.0, **config: Any) -> None:
        timeout = int(delivery_timeout * 1000)
        self._settings = settings
        self._timeout = delivery_timeout
        self._producer = make_producer(settings, **{"delivery.timeout.ms": timeout, **config})
        self._topic_ids: dict[str, Future[str]] = {}
        self._asking = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    def send(self, record: NewRecord) -> "Future[Position]":
        """Append a record.

        Raises:
            Unavailable: the local queue is full, or Kafka does not answer for a topic's first record.
            Refusal: the topic does not exist, the record is larger than its topic allows, or `close` was called.
        """
        topic_id = self.prepare(record.topic).result()
        if self._closed.is_set():
            raise Refusal("the publisher is closed")
        topic = self._settings.topic_prefix + record.topic
        future: Future[Position] = Future()
        target: dict[str, Any] = {} if record.partition is None else {"partition": record.partition}
        if record.timestamp is not None:
            target["timestamp"] = record.timestamp
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

    def prepare(self, topic: str) -> "Future[str]":
        """The id of a topic (its name in the registry), once the cluster has said it. Does not block.

        One question at a time, whoever waits for it; an answer is kept, a failure is asked anew.
        """
        name = self._settings.topic_prefix + topic
        with self._asking:
            known = self._topic_ids.get(name)
            if known is None or (known.done() and known.exception() is not None):
                known = self._topic_ids[name] = Future()
                known.set_running_or_notify_cancel()  # shared: one waiter's cancel must not cancel it for all
                threading.Thread(target=self._ask, args=(name, known), name="publisher-topic", daemon=True).start()
            return known

    async def append(self, records: Sequence[NewRecord]) -> list[Outcome]:
        """Append records and say for each, once all are settled, where it landed or why it did not.

        For coroutines: never blocks the loop, not for a topic's first record either.
        """
        try:
            for topic in {record.topic for record in records}:
                known = self.prepare(topic)
                if not known.done():
                    await asyncio.wrap_future(known)
        except (Unavailable, Refusal) as error:
            return [error] * len(records)
        return await asyncio.gather(*(self._appended(record) for record in records))

    def close(self, timeout: float = 10.0) -> None:
        """Wait until what was sent is durable, at most `timeout` seconds, and end.

        Every future is done afterwards: what is not durable by then fails as `Unavailable`.
        """
        if not self._closed.is_set():
            self._closed.set()
            if self._producer.flush(timeout):
                self._producer.purge()
                self._producer.flush(1.0)
            self._thread.join(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _appended(self, record: NewRecord) -> Outcome:
        try:
            return await asyncio.wrap_future(self.send(record))
        except (Unavailable, Refusal) as error:
            return error

    def _ask(self, name: str, answer: "Future[str]") -> None:
        try:
            info = Cluster(self._settings, timeout=self._timeout).topics([name]).get(name)
            if info is None:
                raise Refusal(f"topic {name} does not exist; make it with: hm topics apply")
        except (Unavailable, Refusal) as error:
            answer.set_exception(error)
        except Exception as error:
            answer.set_exception(Unavailable(f"Kafka does not say whether topic {name} exists: {error}"))
        else:
            answer.set_result(info.topic_id)

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)


def _resolver(future: "Future[Position]", topic_id: str) -> Callable[[KafkaError | None, Message], None]:
    def resolve(error: KafkaError | None, message: Message) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(_translated(error))
            return
        try:
            future.set_result(Position(topic_id=topic_id, partition=message.partition(), offset=message.offset()))
        except ValueError as fault:  # raised here it would be lost, and the future would never be done
            future.set_exception(fault)

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
