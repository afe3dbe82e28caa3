"""The sink: keeps the index equal to the log, whatever is away for a while."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.store import VectorStore
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.membership import Membership
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.apply import Applier
from hybrid_memory.sink.attach import GROUP_PREFIX, Attached, attach
from hybrid_memory.sink.housekeeping import Housekeeping
from hybrid_memory.sink.reader import LogReader
from hybrid_memory.sink.session import Session
from hybrid_memory.sink.share import SharedReader, join
from hybrid_memory.sink.state import Braked, LogMoved, Reassigned, SinkState, StateName
from hybrid_memory.sink.terms import Labeller, Log
from hybrid_memory.sink.vectors import EmbeddingVectoriser

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_POLL_SECONDS = 0.2
_LONGEST_WAIT = 2.0
_ANSWER_SECONDS = 5.0
_FACTS_AT_ONCE = 2
"""An insert waits 1 ms for so many facts, or 9 ms where all of their classifiers are new. With eight, one insert in a
hundred took half as long again while a model's batches came in."""


class Stopped(Exception):  # noqa: N818
    """The sink was told to stop while it waited."""


class Sink:
    """Follows both topics into one index, in the thread that calls `run`. `state` may be read from any thread.

    `shared`: other sinks follow the log into this index too, and a consumer group says who has which partitions.
    """

    def __init__(
        self,
        settings: Settings,
        store: VectorStore,
        embedder: Embedder,
        rules: Labeller,
        metrics: Metrics,
        applied: Applied | None = None,
        shared: bool = False,
    ) -> None:
        self._settings = settings
        self._store = store
        self._embedder = embedder
        self._rules = rules
        self._metrics = metrics
        self._vectorise = EmbeddingVectoriser(embedder)
        self.applied = applied or Applied()
        self.state = SinkState("starting")
        self._shared = shared
        self._member: Membership | None = None

    def run(self, stop: threading.Event) -> None:
        """Follow the log until `stop` is set.

        Raises:
            Refusal: the index is not a view of this log.
        """
        try:
            while not stop.is_set():
                self._one_session(stop)
        except Stopped:
            pass
        except Braked as error:
            self._become("braked", str(error))
            self._hold_still(stop)
        finally:
            if self._member is not None:
                self._member.close()
            self._store.flush()
        self._become("stopped")

    def _one_session(self, stop: threading.Event) -> None:
        with ExitStack() as stack:
            session, housekeeping = self._insist(stop, lambda: self._begin(stack))
            try:
                while not stop.is_set():
                    self._insist(stop, lambda: session.step(_POLL_SECONDS))
                    self._become("running")
                    self._insist(stop, lambda: housekeeping.tick(session))
            except LogMoved as error:
                self._become("retrying", str(error))
                stop.wait(1)
            except Reassigned as error:
                self._become("starting", str(error))

    def _hold_still(self, stop: threading.Event) -> None:
        """Keep what we have until we are told to stop: given to another sink, it would brake that one as well."""
        while not stop.wait(_POLL_SECONDS):
            if self._member is not None:
                self._member.check()

    def _begin(self, stack: ExitStack) -> tuple[Session, Housekeeping]:
        """Attach to the log, and make what a session needs."""
        settings, sink = self._settings, self._settings.sink
        attached = attach(Cluster(settings, _ANSWER_SECONDS), settings.topic_prefix, self._store, self._embedder)
        topics = attached.topics
        publisher = stack.enter_context(Publisher(settings))
        reader = self._reader(attached)
        stack.callback(reader.close)
        self.applied.begin(topics.memories.topic_id, topics.memories.name, attached.start)
        log = Log(topics.memories.topic_id, topics.memories.partitions)
        session = Session(
            topics=topics,
            index_id=attached.identity.index_id,
            answered={place: at for place, at in attached.answered.items() if place in reader.positions},
            reader=reader,
            publisher=publisher,
            applier=Applier(self._store, self._vectorise, self._rules, log, settings.expect_stream),
            store=self._store,
            brake=Brake(sink.brake_window, sink.brake_share, sink.brake_in_a_row),
            metrics=self._metrics,
            applied=self.applied,
            batch_size=sink.batch_size,
            topic_prefix=settings.topic_prefix,
            facts_at_once=_FACTS_AT_ONCE,
        )
        return session, Housekeeping(self._store, sink, attached.delete_retention_ms)

    def _reader(self, attached: Attached) -> LogReader:
        """Reads all partitions or, of a shared index, our share as it was when the positions were read."""
        topics, group = (
            (attached.topics.memories, attached.topics.classified),
            GROUP_PREFIX + attached.identity.index_id,
        )
        if not self._shared:
            return LogReader(self._settings, group, topics, attached.start)
        if self._member is not None and self._member.group != group:  # the index was made anew
            self._member.close()
            self._member = None
        self._member = self._member or join(self._settings, group, attached.topics.memories)
        return SharedReader(self._settings, self._member, topics, attached.start)

    def _become(self, name: StateName, reason: str = "") -> None:
        if (name, reason) != (self.state.name, self.state.reason):
            level = logging.WARNING if name in ("retrying", "braked") else logging.INFO
            _LOG.log(level, "the sink is %s%s", name, f": {reason}" if reason else "")
        self.state = SinkState(name, reason)

    def _insist(self, stop: threading.Event, action: Callable[[], _T]) -> _T:
        """Do it until it works; what is away for a while is waited for, longer each time."""
        wait = 0.1
        while True:
            try:
                return action()
            except Unavailable as error:
                self._become("retrying", str(error))
                if stop.wait(wait):
                    raise Stopped from None
                wait = min(wait * 2, _LONGEST_WAIT)
