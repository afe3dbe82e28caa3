"""Fills a new index from the log, in silence.

Every record is applied as one that another sink has answered, so nothing is said on the log. That is only right for
records that a sink *has* answered, so an index is filled no further than to the watermark: what the serving index has
applied, or any sink has published. What stands beyond is left to the sink that will serve from the new index.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.store import TopicPartition, VectorStore
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import NewRecord, Position
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.apply import Applier
from hybrid_memory.sink.attach import GROUP_PREFIX, attach, watermark
from hybrid_memory.sink.bounded import BoundedReader
from hybrid_memory.sink.session import Session
from hybrid_memory.sink.terms import Labeller, Log
from hybrid_memory.sink.vectors import EmbeddingVectoriser

_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.2
_FLUSH_SECONDS = 5.0
_LONGEST_WAIT = 2.0


class Silence:
    """Says nothing on the log."""

    def send_all(self, records: Sequence[NewRecord], /) -> list[Position]:  # noqa: ARG002  not even these
        return []


class Filler:
    """Applies the log to one index that nobody else writes. Use it in a `with`, which closes it, not the store."""

    def __init__(self, settings: Settings, store: VectorStore, embedder: Embedder, rules: Labeller) -> None:
        """Attach the index to the log; a new one becomes its view.

        Raises:
            Unavailable: Kafka is away, or the topics are not there.
            NotItsView: the index is not a view of this log by this embedder.
        """
        self._store = store
        self._cluster = Cluster(settings, _ANSWER_SECONDS)
        attached = attach(self._cluster, settings.topic_prefix, store, embedder)
        topics = self._topics = attached.topics
        self.delete_retention_ms = attached.delete_retention_ms
        self.first = attached.first
        index_id = attached.identity.index_id
        self._reader = BoundedReader(
            settings, GROUP_PREFIX + index_id, (topics.memories, topics.classified), attached.start
        )
        log = Log(topics.memories.topic_id, topics.memories.partitions)
        self._session = Session(
            topics=topics,
            index_id=index_id,
            answered=dict.fromkeys(self._reader.positions, sys.maxsize),
            reader=self._reader,
            publisher=Silence(),
            applier=Applier(store, EmbeddingVectoriser(embedder), rules, log, settings.expect_stream),
            store=store,
            brake=Brake(settings.sink.brake_window, settings.sink.brake_share, settings.sink.brake_in_a_row),
            metrics=Metrics(),
            applied=Applied(),
            batch_size=settings.sink.batch_size,
            topic_prefix=settings.topic_prefix,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._store.flush()

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """Where the index stands."""
        return self._reader.positions

    def watermark(self) -> dict[TopicPartition, int]:
        """As :func:`~hybrid_memory.sink.attach.watermark`."""
        return watermark(self._cluster, self._topics)

    def left(self, positions: Mapping[TopicPartition, int]) -> int:
        """How many records the log has from these positions on, at most.

        Raises:
            Unavailable: Kafka is away.
        """
        both = (self._topics.memories, self._topics.classified)
        ends = {(topic.name, number): end for topic in both for number, end in self._cluster.ends(topic).items()}
        return sum(max(0, end - positions.get(place, 0)) for place, end in ends.items())

    def up_to(
        self, bounds: Mapping[TopicPartition, int], stop: threading.Event, told: Callable[[], None] = lambda: None
    ) -> bool:
        """Apply all before these positions; False where `stop` was set first. `told` is called after each step.

        What is away for a while is waited for.

        Raises:
            LogMoved: a partition cannot be read from where it should be.
        """
        self._reader.allow(bounds)
        flushed = time.monotonic()
        while not (self._reader.finished and self._session.settled):
            if not _insist(stop, lambda: self._session.step(_POLL_SECONDS)):
                return False
            if time.monotonic() - flushed >= _FLUSH_SECONDS:
                self._store.flush()
                flushed = time.monotonic()
            told()
        return True


def _insist(stop: threading.Event, action: Callable[[], object]) -> bool:
    """Do it until it works, or until `stop` is set; whether it was done."""
    wait = 0.1
    while not stop.is_set():
        try:
            action()
        except Unavailable:
            stop.wait(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        else:
            return True
    return False
