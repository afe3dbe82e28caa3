"""The client of applications."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from hybrid_memory.client.delivery import Outcome, all_added, deliver, not_delivered, outcome, start
from hybrid_memory.client.drafts import OptionalFields, as_deletion, as_memory
from hybrid_memory.client.errors import ClientClosed, NotDelivered
from hybrid_memory.client.events import SOURCE, Added, to_record
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.schemas import MEMORIES, Memory, MemoryEvent, NewRecord, Position


class MemoryClient:
    """Publishes memories to Kafka; every call returns once what it says is durable.

    Settings come from the environment (`HM_KAFKA__<KEY>` sets any librdkafka key), overruled by the arguments.
    While Kafka is away a call waits, at most about `timeout` seconds, and then raises `NotDelivered`; the same
    client works again when Kafka is back. Thread-safe. Close it when done, or use it in a `with`.
    """

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        topic_prefix: str | None = None,
        settings: Settings | None = None,
        timeout: float = 30.0,
    ) -> None:
        """Opens no connection yet.

        Raises:
            Refusal: no Kafka is named, or a setting is wrong; the sentence says which.
        """
        self._publisher = Publisher(client_settings(bootstrap_servers, topic_prefix, settings), timeout)
        self._closed = False

    def add(
        self, user_id: str, text: str, *, traceparent: str | None = None, **fields: Unpack[OptionalFields]
    ) -> Added:
        """Add a memory, or replace the one with this id. Without an id the same text is the same memory.

        The other fields are `memory_id`, `topic`, `type`, `classifiers`, `pinned`, `metadata`, `created_at`,
        `expires_at` and `source`; None counts as not given.

        Raises:
            InvalidMemory: a field breaks its limits, or is unknown; nothing was sent.
            NotDelivered: Kafka did not confirm it.
            ClientClosed: `close` was called.
        """
        memory = as_memory({"user_id": user_id, "text": text, **fields})
        return Added(memory.memory_id, self._send(memory, traceparent))

    def add_many(
        self, memories: Iterable[Memory | Mapping[str, Any]], *, traceparent: str | None = None
    ) -> list[Added]:
        """Add memories, in this order; much faster than one by one. A mapping has the arguments of `add` as keys.

        Raises:
            InvalidMemory: one breaks its limits (`index` says which); nothing was sent.
            SomeNotDelivered: Kafka did not confirm all; carries those, and the positions of the others.
            ClientClosed: `close` was called.
        """
        checked = [as_memory(memory, index) for index, memory in enumerate(memories)]
        return all_added(checked, self._send_all(checked, lambda memory: to_record(memory, traceparent)))

    def delete(self, user_id: str, memory_id: str, *, traceparent: str | None = None) -> Position:
        """Delete a memory; one that does not exist may be deleted too.

        Raises:
            InvalidMemory: an id breaks its limits.
            NotDelivered: Kafka did not confirm it.
            ClientClosed: `close` was called.
        """
        return self._send(as_deletion(user_id, memory_id), traceparent)

    def publish(self, events: Iterable[MemoryEvent], *, source: str = SOURCE) -> list[Outcome]:
        """Append memories and deletions, in this order, and say for each where it landed or why it did not.

        `source` is the `ce_source` of their records.

        Raises:
            ClientClosed: `close` was called.
        """
        return self._send_all(list(events), lambda event: to_record(event, source=source))

    def close(self) -> None:
        """Wait, at most ten seconds, for what other threads are sending, and end. A second call does nothing."""
        self._closed = True
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, event: MemoryEvent, traceparent: str | None) -> Position:
        self._open()
        landed = outcome(event, start(self._publisher, to_record(event, traceparent)))
        if isinstance(landed, NotDelivered):
            raise landed
        return landed

    def _send_all(self, events: Sequence[MemoryEvent], record: Callable[[MemoryEvent], NewRecord]) -> list[Outcome]:
        self._open()
        if not events:
            return []
        try:
            self._publisher.prepare(MEMORIES).result()
        except (Unavailable, Refusal) as error:  # asked once, not once for each
            return [not_delivered(event, error) for event in events]
        records = ((None, event, record(event)) for event in events)
        return [landed for _, landed in deliver(self._publisher, records)]

    def _open(self) -> None:
        if self._closed:
            raise ClientClosed


def client_settings(
    bootstrap_servers: str | None = None, topic_prefix: str | None = None, settings: Settings | None = None
) -> Settings:
    """`settings`, or those of the environment, overruled by what is given.

    Raises:
        Refusal: a setting is wrong.
    """
    kafka = {} if settings is None else dict(settings.kafka)
    if bootstrap_servers is not None:
        kafka["bootstrap.servers"] = bootstrap_servers
    if settings is None:
        return load_settings(topic_prefix=topic_prefix, kafka=_underscored(kafka) or None)
    prefix = settings.topic_prefix if topic_prefix is None else topic_prefix
    return settings.model_copy(update={"kafka": kafka, "topic_prefix": prefix})


def _underscored(kafka: Mapping[str, str]) -> dict[str, str]:
    # As the environment names them, so that a given value replaces the one from there.
    return {key.replace(".", "_"): value for key, value in kafka.items()}
