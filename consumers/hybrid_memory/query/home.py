"""Where the index lives that `hm serve` answers from: in a folder of its own, or on a server that others feed."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.index.asking import answer_if_asked
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.folders import FolderGenerations
from hybrid_memory.index.generations import Generations
from hybrid_memory.index.store import VectorStore
from hybrid_memory.query.watch import Watch
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.fill import Filler
from hybrid_memory.sink.loop import Sink
from hybrid_memory.sink.ownership import check_embedder

_LOG = logging.getLogger(__name__)
_CATCH_UP_SECONDS = 10.0


class Home(ABC):
    """Opens generations of the index, and says what follows the log into them."""

    look_seconds: float
    """How often to look whether another generation has become current."""

    def __init__(self, settings: Settings, embedder: Embedder, labels: FastClassifier, stop: threading.Event) -> None:
        self._settings = settings
        self._embedder = embedder
        self._labels = labels
        self._stop = stop

    @property
    @abstractmethod
    def generations(self) -> Generations:
        """The generations of this index."""

    @abstractmethod
    def open(self, say: Callable[[str], None]) -> tuple[str, VectorStore] | None:
        """The current generation and its name; None where we are stopped before there is one."""

    @abstractmethod
    def follower(self, store: VectorStore, metrics: Metrics, applied: Applied) -> Sink | Watch:
        """What follows the log into it, or looks at how far others do."""

    @abstractmethod
    def take_over(self, name: str, before: VectorStore) -> VectorStore | None:
        """Open another generation, and bring it to where the one before stands, which nobody moves meanwhile; None
        where we are stopped.

        Raises:
            Refusal: it is not for this process.
        """

    @abstractmethod
    def answer(self, store: VectorStore) -> None:
        """Answer those who ask for what only this process can read. Called now and then."""


class Folder(Home):
    """The embedded index."""

    look_seconds = 0.5

    @property
    def generations(self) -> FolderGenerations:
        return FolderGenerations(self._settings.data_dir)

    def open(self, say: Callable[[str], None]) -> tuple[str, VectorStore] | None:  # noqa: ARG002
        from hybrid_memory.index.edge import EdgeStore

        name = self.generations.current()
        return name, EdgeStore.open(self.generations.folder(name), self._embedder.dimensions)

    def follower(self, store: VectorStore, metrics: Metrics, applied: Applied) -> Sink | Watch:
        return Sink(self._settings, store, self._embedder, self._labels, metrics, applied)

    def take_over(self, name: str, before: VectorStore) -> VectorStore | None:
        from hybrid_memory.index.edge import EdgeStore

        store = EdgeStore.open_existing(self.generations.folder(name))
        try:
            check_embedder(store.identity(), self._embedder.name, self._embedder.dimensions)
            with Filler(self._settings, store, self._embedder, self._labels) as filler:
                if filler.up_to(before.progress().positions, self._stop):
                    return store
        except BaseException:
            store.close()
            raise
        store.close()
        return None

    def answer(self, store: VectorStore) -> None:
        from hybrid_memory.index.edge import EdgeStore

        if isinstance(store, EdgeStore):
            answer_if_asked(store.folder, store)


class Server(Home):
    """An index on a Qdrant server; its client takes seconds to import."""

    look_seconds = 2.0

    @property
    def generations(self) -> Generations:
        from hybrid_memory.index.server import open_generations

        return open_generations(self._settings.qdrant)

    def open(self, say: Callable[[str], None]) -> tuple[str, VectorStore] | None:
        from hybrid_memory.index.server_wait import open_when_there

        store = open_when_there(self._settings.qdrant, self._embedder.dimensions, False, self._stop, say)
        return None if store is None else (store.generation, store)

    def follower(self, store: VectorStore, metrics: Metrics, applied: Applied) -> Sink | Watch:  # noqa: ARG002
        return Watch(self._settings, store, self._embedder, applied)

    def take_over(self, name: str, before: VectorStore) -> VectorStore | None:
        from hybrid_memory.index.server import ServerStore

        store = ServerStore.open_existing(self._settings.qdrant, name)
        try:
            check_embedder(store.identity(), self._embedder.name, self._embedder.dimensions)
            self._wait(before, store)
        except BaseException:
            store.close()
            raise
        return store

    def answer(self, store: VectorStore) -> None:
        """Nobody has to ask: anybody can read the server."""

    def _wait(self, before: VectorStore, store: VectorStore) -> None:
        """Until it shows what the one before has shown, if its sinks are there already; else searches would go back."""
        shown, waited = before.progress().positions, 0.0
        while not self._stop.is_set() and waited < _CATCH_UP_SECONDS:
            reached = store.progress().positions
            if all(reached.get(place, 0) >= at for place, at in shown.items()):
                return
            self._stop.wait(0.1)
            waited += 0.1


def home_of(settings: Settings, embedder: Embedder, labels: FastClassifier, stop: threading.Event) -> Home:
    """Where these settings say that the index lives."""
    kind = Folder if settings.qdrant.url is None else Server
    return kind(settings, embedder, labels, stop)
