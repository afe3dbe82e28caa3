"""An index as the check looks at it: in this process, or through the service that holds it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from hybrid_memory.index.store import SCHEMA_VERSION, Identity, VectorStore
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.verify.states import Shown

PAGE = 128
"""Points at once: the embedded index lets no other thread run while it hands them over."""
KEYS = 500
"""Memories asked for at once."""


class Followed(BaseModel):
    """A topic that an index follows."""

    model_config = ConfigDict(frozen=True)

    topic_id: str
    partitions: int


class About(BaseModel):
    """An index: whose view it is, and how far it has applied its log."""

    model_config = ConfigDict(frozen=True)

    index_id: str
    topics: dict[str, Followed]
    embedder: str
    dimensions: int
    schema_version: int = SCHEMA_VERSION
    memories: int = Field(description="How many live memories it shows.")
    positions: dict[str, dict[int, int]] = Field(description="Of each topic and partition, the next offset to apply.")

    @property
    def identity(self) -> Identity:
        """Whose view it is."""
        topics = {name: (one.topic_id, one.partitions) for name, one in self.topics.items()}
        return Identity(self.index_id, topics, self.embedder, self.dimensions, self.schema_version)


class View(ABC):
    """What can be asked of an index. `moves`: whether something feeds it while we look."""

    moves: bool

    @abstractmethod
    def about(self) -> About:
        """What it is, and how far it has come.

        Raises:
            Unavailable: it is away, or new.
        """

    @abstractmethod
    def points(self) -> Iterator[list[Shown]]:
        """All points, tombstones included. What is written meanwhile may be missed."""

    @abstractmethod
    def find(self, keys: Iterable[str]) -> list[Shown]:
        """Those of these memories that have a point; at most `KEYS` keys."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StoreView(View):
    """An index that this process has open."""

    def __init__(self, store: VectorStore, moves: bool) -> None:
        self._store, self.moves = store, moves

    def about(self) -> About:
        return about(self._store)

    def points(self) -> Iterator[list[Shown]]:
        mark: str | None = None
        while True:
            found, mark = self._store.scroll_points(PAGE, mark)
            yield [Shown.of(point) for point in found]
            if mark is None:
                return

    def find(self, keys: Iterable[str]) -> list[Shown]:
        return find(self._store, keys)

    def close(self) -> None:
        self._store.close()


def about(store: VectorStore) -> About:
    """What a store says of itself.

    Raises:
        Unavailable: it is away, or nothing has been applied to it yet.
    """
    identity, positions = store.identity(), dict[str, dict[int, int]]()
    if identity is None:
        raise Unavailable("the index is new: nothing has been applied to it yet")
    for (topic, number), offset in store.progress().positions.items():
        positions.setdefault(topic, {})[number] = offset
    topics = {name: Followed(topic_id=id_, partitions=count) for name, (id_, count) in identity.topics.items()}
    return About(
        index_id=identity.index_id,
        topics=topics,
        embedder=identity.embedder,
        dimensions=identity.dimensions,
        schema_version=identity.schema_version,
        memories=store.count(),
        positions=positions,
    )


def find(store: VectorStore, keys: Iterable[str]) -> list[Shown]:
    """Those of these memories that a store has."""
    return [Shown.of(found.point) for found in store.get(keys).values()]
