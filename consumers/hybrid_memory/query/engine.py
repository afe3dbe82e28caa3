"""What `hm serve` runs behind its API, in a thread of its own: the embedder, the index, and what follows the log.

With Edge that is the sink; with a Qdrant server, which `hm sink` feeds, only a look at how far it has come."""

import threading
from collections.abc import Callable

from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.gathered import GatheredEmbedder
from hybrid_memory.index.labelling import open_fast_classifier
from hybrid_memory.index.reset import index_folder
from hybrid_memory.index.store import VectorStore
from hybrid_memory.index.timed import TimedEmbedder
from hybrid_memory.query.searching import Searcher
from hybrid_memory.query.watch import Watch
from hybrid_memory.runtime.background import Background
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.loop import Sink


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
        self.applied = Applied()

    def stop(self) -> None:
        """End what follows, close the index, and wait for both. A model that is being loaded is not waited for."""
        self._stop.set()
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
        what, state = "sink" if isinstance(self._follower, Sink) else "index", self._follower.state
        reason = f": {state.reason}" if state.reason else ""
        return None if state.name == "running" else f"the {what} is {state.name}{reason}"

    def _run(self) -> None:
        timed = self._metrics.stage_duration.labels("embed").observe
        embedder = TimedEmbedder(make_embedder(self._settings), timed)
        embedder.embed(["The first embedding pays for what is loaded late."])
        labels = open_fast_classifier(self._settings, embedder)
        self._loaded, self._doing = True, "the index is being opened"
        store = self._open(embedder.dimensions)
        if store is None:
            return
        try:
            self._searcher, self._follower = (
                Searcher(store, GatheredEmbedder(embedder), labels.classify),
                self._follow(store, embedder, labels),
            )
            self._follower.run(self._stop)
        finally:
            self._searcher = None
            store.close()

    def _open(self, dimensions: int) -> VectorStore | None:
        """The index, or None when we are stopped before the server has one."""
        if self._settings.qdrant.url is not None:
            from hybrid_memory.index.server_wait import open_when_there  # its client takes seconds to import

            return open_when_there(self._settings.qdrant, dimensions, False, self._stop, self._say)
        from hybrid_memory.index.edge import EdgeStore

        return EdgeStore.open(index_folder(self._settings), dimensions)

    def _follow(self, store: VectorStore, embedder: Embedder, labels: FastClassifier) -> Sink | Watch:
        if self._settings.qdrant.url is not None:
            return Watch(self._settings, store, embedder, self.applied)
        return Sink(self._settings, store, embedder, labels, self._metrics, self.applied)

    def _say(self, doing: str) -> None:
        self._doing = doing
