"""What `hm serve` runs behind its API, in a thread of its own: the embedder, the index, and what follows the log.

With Edge that is the sink; with a Qdrant server, which `hm sink` feeds, only a look at how far it has come."""

import logging
import threading
from collections.abc import Callable

from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import open_fast_classifier
from hybrid_memory.index.store import VectorStore
from hybrid_memory.index.timed import TimedEmbedder
from hybrid_memory.query.home import Home, home_of
from hybrid_memory.query.searching import Searcher
from hybrid_memory.query.watch import Watch
from hybrid_memory.runtime.background import Background
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.garbage import settled
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.loop import Sink
from hybrid_memory.sink.turning import Turning

_LOG = logging.getLogger(__name__)


class Engine(Background):
    """Loads the model, opens the index, and follows the log."""

    def __init__(self, settings: Settings, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        super().__init__("engine", on_failure)
        self._settings = settings
        self._metrics = metrics
        self._stop = threading.Event()
        self._doing = "the embedding model is being loaded"
        self._loaded = False
        self._searcher: Searcher | None = None
        self._follower: Sink | Watch | None = None
        self._turning: Turning | None = None
        self._moving = False
        self.applied = Applied()

    def stop(self) -> None:
        """End what follows, close the index, and wait for both. A model that is being loaded is not waited for."""
        self._stop.set()
        if self._turning is not None:
            self._turning.end()
        if not self.loading:
            self.join(30)

    @property
    def loading(self) -> bool:
        """Whether the model is still being loaded; nothing is open yet that would have to be closed."""
        return self.alive and not self._loaded

    def searcher(self) -> Searcher:
        """What answers searches.

        Raises:
            Unavailable: the engine is still starting.
        """
        if self._searcher is None:
            raise Unavailable(f"not ready: {self._doing}", retry_after=2)
        return self._searcher

    def not_ready(self) -> str | None:
        """Why the service cannot do all of its work now, or None."""
        if self._follower is None:
            return self._doing
        if self._moving:  # what is written meanwhile is in the log, and searches are answered
            return None
        what, state = "sink" if isinstance(self._follower, Sink) else "index", self._follower.state
        reason = f": {state.reason}" if state.reason else ""
        return None if state.name == "running" else f"the {what} is {state.name}{reason}"

    def _run(self) -> None:
        timed = self._metrics.stage_duration.labels("embed").observe
        embedder = TimedEmbedder(make_embedder(self._settings), timed)
        embedder.embed(["The first embedding pays for what is loaded late."])
        labels = open_fast_classifier(self._settings, embedder)
        self._loaded, self._doing = True, "the index is being opened"
        home = home_of(self._settings, embedder, labels, self._stop)
        opened = home.open(self._say)
        if opened is None:
            return
        name, store = opened
        self._searcher = Searcher(store, embedder, labels.classify)
        try:
            with settled():
                self._follow(home, self._searcher, name, store)
        finally:
            self._searcher = None

    def _follow(self, home: Home, searcher: Searcher, name: str, store: VectorStore) -> None:
        """Until we are stopped; from one generation of the index to the next."""
        turning = Turning(home.generations, self._stop, home.look_seconds, lambda: _answer(home, searcher))
        self._turning = turning
        try:
            while not self._stop.is_set():
                self._follower = home.follower(store, self._metrics, self.applied)
                self._follower.run(turning.follow(name))
                if not self._stop.is_set() and (other := self._taken_over(home, turning, store)) is not None:
                    searcher.exchange(other).close()
                    name, store = turning.wanted, other
                    _LOG.info("the index is now %s", name)
        finally:
            self._stop.set()
            turning.join()
            store.close()

    def _taken_over(self, home: Home, turning: Turning, store: VectorStore) -> VectorStore | None:
        """The generation that has become current, where it is for us. Searches go on meanwhile."""
        self._moving = True
        try:
            return turning.attempt(lambda name: home.take_over(name, store))
        finally:
            self._moving = False

    def _say(self, doing: str) -> None:
        self._doing = doing


def _answer(home: Home, searcher: Searcher) -> None:
    with searcher.reading() as store:
        home.answer(store)
