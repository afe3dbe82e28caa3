"""Where generations of the index are built and looked at: folders of the embedded index, or collections on a server."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException

from hybrid_memory.index.folders import FolderGenerations
from hybrid_memory.index.generations import Generations
from hybrid_memory.index.store import VectorStore
from hybrid_memory.index.summary import Summary, summarise
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.attach import GROUP_PREFIX

_ANSWER_SECONDS = 30.0


class Place(ABC):
    """Opens generations of one index.

    Raises (any call):
        Unavailable, Refusal: it cannot be done now, or not by us.
    """

    generations: Generations

    @abstractmethod
    def create(self, name: str, dimensions: int) -> VectorStore:
        """A generation to be filled by us alone, new where there is none."""

    @abstractmethod
    def open(self, name: str) -> AbstractContextManager[VectorStore]:
        """A generation that exists, whatever it is a view of, to be looked at while the context lasts."""

    @abstractmethod
    def look(self, name: str, since: int, sample: int) -> Summary | None:
        """What is in a generation, as :func:`summarise`; None where there is nothing yet."""

    @abstractmethod
    def answer(self, store: VectorStore) -> None:
        """Answer those who ask of what we have open."""

    @abstractmethod
    def check_unused(self, name: str) -> None:
        """Refuse a generation that somebody follows the log with."""

    @abstractmethod
    def held(self, name: str) -> bool:
        """Whether a process has this generation to itself."""

    @abstractmethod
    def describe(self, name: str) -> str:
        """What a person calls it."""

    def close(self) -> None:
        """Let go of connections."""
        self.generations.close()


class Folders(Place):
    """In the data folder. Only one process can read a generation; it is asked where it is not us."""

    def __init__(self, data_dir: Path) -> None:
        self.generations: FolderGenerations = FolderGenerations(data_dir)

    def create(self, name: str, dimensions: int) -> VectorStore:
        from hybrid_memory.index.edge import EdgeStore

        return EdgeStore.open(self.generations.folder(name), dimensions)

    @contextmanager
    def open(self, name: str) -> Iterator[VectorStore]:
        from hybrid_memory.index.edge import EdgeStore
        from hybrid_memory.index.edge_folder import looking_at

        folder = self.generations.folder(name)
        with looking_at(folder), closing(EdgeStore.open_existing(folder)) as store:
            yield store

    def look(self, name: str, since: int, sample: int) -> Summary | None:
        from hybrid_memory.index.asking import ask

        folder = self.generations.folder(name)
        if not (folder / "shard").exists():
            return None
        if not self.held(name):
            with self.open(name) as store:
                return summarise(store, since, sample)
        if (answer := ask(folder, since, sample, _ANSWER_SECONDS)) is not None:
            return answer
        raise Refusal(
            f"the process that uses the index in {folder} does not answer; stop it, or wait until it is ready"
        )

    def answer(self, store: VectorStore) -> None:
        from hybrid_memory.index.asking import answer_if_asked
        from hybrid_memory.index.edge import EdgeStore

        if isinstance(store, EdgeStore):
            answer_if_asked(store.folder, store)

    def check_unused(self, name: str) -> None:
        if self.held(name):
            raise Refusal(f"{self.describe(name)} is in use by another process; stop that one first")

    def held(self, name: str) -> bool:
        from hybrid_memory.index.edge_folder import is_held

        return is_held(self.generations.folder(name))

    def describe(self, name: str) -> str:
        return str(self.generations.folder(name))


class Collections(Place):
    """On a Qdrant server, where anybody may look."""

    def __init__(self, settings: Settings) -> None:
        from hybrid_memory.index.server import open_generations

        self._settings = settings
        self.generations = open_generations(settings.qdrant)

    def create(self, name: str, dimensions: int) -> VectorStore:
        from hybrid_memory.index.server import ServerStore

        return ServerStore.open(self._settings.qdrant, dimensions, True, name)

    @contextmanager
    def open(self, name: str) -> Iterator[VectorStore]:
        from hybrid_memory.index.server import ServerStore

        with closing(ServerStore.open_existing(self._settings.qdrant, name)) as store:
            yield store

    def look(self, name: str, since: int, sample: int) -> Summary | None:
        if name not in self.generations.names():
            return None
        with self.open(name) as store:
            return summarise(store, since, sample)

    def answer(self, store: VectorStore) -> None:
        """Nobody has to ask."""

    def check_unused(self, name: str) -> None:
        identity = None
        with suppress(Refusal), self.open(name) as store:  # one that nobody has claimed may go
            identity = store.identity()
        members = self._members(GROUP_PREFIX + identity.index_id) if identity else 0
        if members:
            raise Refusal(f"{members} hm sink still feed {self.describe(name)}; stop them first")

    def _members(self, group: str) -> int:
        cluster = Cluster(self._settings, 5)
        try:
            found = cluster.admin.describe_consumer_groups([group], request_timeout=5)[group]
            return len(cluster.result(found).members)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return 0
            raise

    def held(self, name: str) -> bool:  # noqa: ARG002
        return False

    def describe(self, name: str) -> str:
        return f"the collection {name}"


def place_of(settings: Settings) -> Place:
    """Where these settings say that the index lives.

    Raises:
        Refusal: the server cannot be named so.
    """
    return Folders(settings.data_dir) if settings.qdrant.url is None else Collections(settings)
