"""What `hm sink` runs behind its probes: the embedder, the index on a server, and a sink, in a thread of their own."""

import threading
from collections.abc import Callable
from functools import partial

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import open_fast_classifier
from hybrid_memory.index.server import ServerStore, open_generations
from hybrid_memory.index.server_wait import open_when_there
from hybrid_memory.index.timed import TimedEmbedder
from hybrid_memory.runtime.background import Background
from hybrid_memory.runtime.garbage import settled
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.loop import Sink
from hybrid_memory.sink.ownership import check_embedder
from hybrid_memory.sink.turning import Turning

_LOOK_SECONDS = 2.0


class Worker(Background):
    """Follows the log into the index on a server."""

    def __init__(self, settings: Settings, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        super().__init__("sink", on_failure)
        self._settings = settings
        self._metrics = metrics
        self._stop = threading.Event()
        self._doing = "the embedding model is being loaded"
        self._opened = False
        self._sink: Sink | None = None
        self._turning: Turning | None = None

    def stop(self) -> None:
        """Finish the batch, leave the group, and wait for both. A model that is being loaded is not waited for."""
        self._stop.set()
        if self._turning is not None:
            self._turning.end()
        if not self.loading:
            self.join(30)

    @property
    def loading(self) -> bool:
        """Whether the model is still being loaded; nothing is open yet that would have to be closed."""
        return self.alive and not self._opened

    def not_ready(self) -> str | None:
        """Why the sink does not follow the log now, or None."""
        if self._sink is None:
            return self._doing
        state = self._sink.state
        return None if state.name == "running" else f"the sink is {state.name}{': ' * bool(state.reason)}{state.reason}"

    def _run(self) -> None:
        timed = self._metrics.stage_duration.labels("embed").observe
        embedder = TimedEmbedder(make_embedder(self._settings), timed)
        labels = open_fast_classifier(self._settings, embedder)
        self._opened = True
        store = open_when_there(self._settings.qdrant, embedder.dimensions, True, self._stop, self._say)
        if store is None:
            return
        turning = self._turning = Turning(open_generations(self._settings.qdrant), self._stop, _LOOK_SECONDS)
        try:
            with settled():
                while not self._stop.is_set():
                    self._sink = Sink(self._settings, store, embedder, labels, self._metrics, shared=True)
                    self._sink.run(turning.follow(store.generation))
                    other = None if self._stop.is_set() else turning.attempt(partial(self._other, embedder))
                    if other is not None:
                        store.close()
                        store = other
        finally:
            self._stop.set()
            turning.join()
            store.close()

    def _other(self, embedder: Embedder, name: str) -> ServerStore:
        """Another generation, if it is for us."""
        store = ServerStore.open_existing(self._settings.qdrant, name)
        try:
            check_embedder(store.identity(), embedder.name, embedder.dimensions)
        except BaseException:
            store.close()
            raise
        return store

    def _say(self, doing: str) -> None:
        self._doing = doing
