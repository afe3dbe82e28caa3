"""How far an index that others feed has applied the log: asked of the index, as often as somebody waits for it."""

import logging
import threading
import time

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.store import Identity, VectorStore
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.ownership import check_identity
from hybrid_memory.sink.state import SinkState, StateName

_LOG = logging.getLogger(__name__)
_ANSWER_SECONDS = 5.0
_SLOWEST = 0.5
_IDLE = 1.0
_LONGEST_WAIT = 2.0
_SAME_INDEX_SECONDS = 5.0


class Watch:
    """Tells `applied` of positions, in the thread that calls `run`. One question serves all who wait.

    While somebody waits it asks after `poll_ms`, then less and less often, at least twice a second; else once a
    second. `state` may be read from any thread.
    """

    def __init__(self, settings: Settings, store: VectorStore, embedder: Embedder, applied: Applied) -> None:
        self._settings = settings
        self._store = store
        self._embedder = embedder
        self._applied = applied
        self._first = settings.qdrant.poll_ms / 1000
        self._identity: Identity | None = None
        self._checked = 0.0
        self.state = SinkState("starting")

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set.

        Raises:
            Refusal: the index is not a view of this log.
        """
        wait = 0.1
        while not stop.is_set():
            try:
                self._follow(stop)
            except Unavailable as error:
                wait = 0.1 if self.state.name == "running" else min(wait * 2, _LONGEST_WAIT)
                self._become("retrying", str(error))
                stop.wait(wait)
        self._become("stopped")

    def _follow(self, stop: threading.Event) -> None:
        pause = self._first
        while not stop.is_set():
            self._applied.asked.clear()
            self._check()
            self._applied.moved(self._store.progress().positions)
            self._become("running")
            woke = self._applied.asked.wait(pause if self._applied.waiting else _IDLE)
            pause = self._first if woke else min(pause * 1.5, _SLOWEST)
            stop.wait(self._first)

    def _check(self) -> None:
        """Now and then, see that this is still the index of our log; it may have been made anew."""
        if self._identity is not None and time.monotonic() - self._checked < _SAME_INDEX_SECONDS:
            return
        identity = self._store.identity()
        if identity is None:
            raise Unavailable("the index is new and nobody feeds it yet; start one with: hm sink")
        if identity != self._identity:
            self._begin(identity)
        self._checked = time.monotonic()

    def _begin(self, identity: Identity) -> None:
        prefix = self._settings.topic_prefix
        topics = Cluster(self._settings, _ANSWER_SECONDS).topics([prefix + MEMORIES])
        if prefix + MEMORIES not in topics:
            raise Unavailable("missing topics; make them with: hm topics apply")
        check_identity(identity, topics, self._embedder.name, self._embedder.dimensions)
        topic = topics[prefix + MEMORIES]
        self._applied.begin(topic.topic_id, topic.name, self._store.progress().positions)
        self._identity = identity

    def _become(self, name: StateName, reason: str = "") -> None:
        if (name, reason) != (self.state.name, self.state.reason):
            level = logging.WARNING if name == "retrying" else logging.INFO
            _LOG.log(level, "the index is %s%s", {"running": "watched"}.get(name, name), f": {reason}" * bool(reason))
        self.state = SinkState(name, reason)
