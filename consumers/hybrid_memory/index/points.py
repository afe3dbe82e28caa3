"""What the index holds of a memory. Pure."""

from dataclasses import dataclass
from typing import Literal

from hybrid_memory.schemas import Memory, Provenance, Source, point_id

State = Literal["provisional", "final", "deleted"]
"""`provisional`: a classifier stream is expected to do better. `deleted`: a tombstone, without text or vectors."""

Rank = tuple[int, bool, int, bool]


@dataclass(frozen=True, slots=True)
class Point:
    """A memory as the index shows it, or the tombstone of one (`memory` is None).

    `memory` is the whole record, so that it can be appended again without reading the log. `generation` and
    `source` are the order rule's: of the classifiers for *this* seq. `provenance` tells where the classifiers came
    from, which may be an earlier version of the memory with the same text. `appended_at` is in milliseconds.
    `condition` is the `hm-if-seq` of the record that made this version, and `since` the seq from which the memory has
    said what it says, the same in every version since. `stale` are the facts (seq, generation)
    that this version made obsolete: remembered until the next, so that a crash cannot forget to answer them.
    """

    key: str
    seq: int
    appended_at: int
    memory: Memory | None
    state: State
    topic: str | None = None
    classifiers: tuple[str, ...] = ()
    generation: int = 0
    source: Source = "rules"
    provenance: Provenance | None = None
    condition: int | None = None
    since: int = 0
    stale: tuple[tuple[int, int], ...] = ()

    @property
    def fact(self) -> tuple[int, int] | None:
        """(seq, generation) of the fact whose classifiers it shows, where a fact made them."""
        made = self.source == "llm" or (self.source == "rules" and self.generation > 0)
        return (self.seq, self.generation) if made else None

    @property
    def id(self) -> str:
        """The point's id in the store, a UUID."""
        return point_id(self.key)

    @property
    def live(self) -> bool:
        """Whether it is a memory and not a tombstone."""
        return self.memory is not None

    @property
    def rank(self) -> Rank:
        """Its place in the order rule: a record replaces the point iff the record's rank is not lower."""
        return rank(self.seq, self.source, self.generation)


def rank(seq: int, source: Source, generation: int) -> Rank:
    """(`seq`, made by the caller, `generation`, made by a language model), compared left to right."""
    return seq, source == "provided", generation, source == "llm"


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A sparse vector: `values[i]` stands at dimension `indices[i]`."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


NO_WORDS = SparseVector((), ())


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a live point: unit length, of the embedder's dimensions; one classifier vector a classifier."""

    text: tuple[float, ...]
    classifiers: tuple[tuple[float, ...], ...]
    bm25: SparseVector


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """A point with its vectors; a tombstone has none."""

    point: Point
    vectors: Vectors | None
