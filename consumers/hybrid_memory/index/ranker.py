"""What a store can be asked within one search."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hybrid_memory.index.points import Point, SparseVector

Using = Literal["text", "bm25", "classifiers"]
DenseVector = Sequence[float] | Sequence[Sequence[float]]
QueryVector = DenseVector | SparseVector


@dataclass(frozen=True, slots=True)
class Ask:
    """The user's visible memories that rank highest by one vector; `among` these ids alone, where given."""

    using: Using
    vector: QueryVector
    limit: int
    among: Collection[str] | None = None
    with_words: bool = False


class Ranked(NamedTuple):
    """An id and its score; `words` where they were asked for."""

    id: str
    score: float
    words: SparseVector | None = None


class Ranker(ABC):
    """One search, put to a store. Filters (whose, of which topic, still visible) are its matter."""

    @abstractmethod
    def ask(self, asked: Sequence[Ask]) -> list[list[Ranked]]:
        """The answers, in their order, in one round trip."""

    @abstractmethod
    def visible(self) -> int:
        """How many memories the search could find."""

    @abstractmethod
    def points(self, ids: Collection[str]) -> Mapping[str, Point]:
        """These points by id."""


def as_lists(vector: DenseVector) -> list[Any]:
    """A vector, or several, as the stores' libraries want them: a tuple is none to them."""
    return list(map(list, vector)) if vector and isinstance(vector[0], Sequence) else list(vector)  # type: ignore[arg-type]
