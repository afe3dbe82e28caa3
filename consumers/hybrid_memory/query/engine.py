"""What `hm serve` runs behind its API: the embedder, the index and, with Edge, the sink, in a thread of their own."""

import logging
import threading
from collections.abc import Callable

from hybrid_memory.classifier import default_rules
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.reset import index_folder
from hybrid_memory.index.timed import TimedEmbedder
from hybrid_memory.query.searching import Searcher
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.loop import Sink

_LOG = logging.getLogger(__name__)


class Engine:
    """Starts in the background, so that the API answers its probes while the model is loaded.

    `on_failure` is called from the engine's thread when it ends by an error; `failure` then holds it.
    """

    def __init__(self, settings: Settings, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._on_failure = on_failure
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="engine", daemon=True)
        self._doing = "the embedding model is being loaded"
        self._searcher: Searcher | None = None
        self._sink: Sink | None = None
        self.applied = Applied()
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the sink, close the index, and wait for both. A model that is being loaded is not waited for."""
        self._stop.set()
        if self._thread.is_alive() and self._sink is not None:
            self._thread.join(30)

    @property
    def loading(self) -> bool:
        """Whether the model is still being loaded; nothing is open yet that would have to be closed."""
        return self._thread.is_alive() and self._sink is None

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
        if self._sink is None:
            return self._doing
        state = self._sink.state
        return None if state.name == "running" else f"the sink is {state.name}{': ' * bool(state.reason)}{state.reason}"

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error
            self._on_failure()

    def _run(self) -> None:
        from hybrid_memory.index.edge import EdgeStore

        timed = self._metrics.stage_duration.labels("embed").observe
        embedder = TimedEmbedder(make_embedder(self._settings), timed)
        embedder.embed(["The first embedding pays for what is loaded late."])
        self._doing = "the index is being opened"
        store = EdgeStore.open(index_folder(self._settings), embedder.dimensions)
        try:
            sink = Sink(self._settings, store, embedder, default_rules(), self._metrics, self.applied)
            self._searcher, self._sink = Searcher(store, embedder), sink
            sink.run(self._stop)
        finally:
            self._searcher = None
            store.close()
