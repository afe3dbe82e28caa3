"""The vector-store port. Every implementation passes `tests/integration/index/contract.py`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hybrid_memory.index.filters import NO_FILTER, Filter
from hybrid_memory.index.listing import Listing, Place
from hybrid_memory.index.points import NO_WORDS, Point, SparseVector, StoredPoint
from hybrid_memory.index.ranking import Parts

SCHEMA_VERSION = 2
"""Raised when points are laid out in another way; an index of another version must be built anew."""

TopicPartition = tuple[str, int]
"""A topic's name on the cluster, and a partition number."""


class Rejected(Exception):  # noqa: N818
    """The store will never take these points as they are (a wrong vector, say)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log, with which embedder, an index is a view of.

    `topics` maps the name of each topic to its topic id and partition count.
    """

    index_id: str
    topics: Mapping[str, tuple[str, int]]
    embedder: str
    dimensions: int
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an index has applied its log: the next offset to apply of each partition, and when it last did (ms).

    `followed_at` says when for each partition, where the store keeps that (several sinks share an index).
    """

    positions: Mapping[TopicPartition, int] = field(default_factory=dict)
    applied_at: int = 0
    followed_at: Mapping[TopicPartition, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one user's live memories.

    `vector` is the context's, unit length; `words` are its words, each with weight 1; `labels` the vectors of its own
    classifiers. Without words or labels, those parts of the score are 0. `now` (ms) hides what has expired.
    """

    user_id: str
    vector: Sequence[float]
    limit: int
    now: int
    words: SparseVector = NO_WORDS
    labels: Sequence[Sequence[float]] = ()
    filter: Filter = NO_FILTER


@dataclass(frozen=True, slots=True)
class Hit:
    """A point that was found; `score` is between 0 and 1 and comparable between queries, and `parts` make it up."""

    point: Point
    score: float
    parts: Parts = field(default_factory=Parts)


class VectorStore(ABC):
    """Keeps points, and says how far they follow the log.

    Writes are applied in the order of the calls and are seen by every later read; they survive the death of the
    process at once, and that of the machine after `flush`. Safe to call from several threads.

    Raises (any call):
        Unavailable: the store is away for a while; nothing or part of a write was applied, and it may be repeated.
    """

    searches_at_once: int
    """With so many threads at it a store answers as many searches a second as it can."""

    @abstractmethod
    def identity(self) -> Identity | None:
        """Whose view this index is, or None while it is new."""

    @abstractmethod
    def claim(self, identity: Identity) -> None:
        """Make a new index the view of this log. Where several do, the first stands: read `identity` again."""

    @abstractmethod
    def progress(self) -> Progress:
        """How far the log has been applied."""

    @abstractmethod
    def advance(self, progress: Progress) -> None:
        """Remember how far the log has been applied; partitions that are not named keep their position."""

    @abstractmethod
    def get(self, keys: Iterable[str]) -> dict[str, StoredPoint]:
        """The points of these memory keys that exist, tombstones included, with their vectors."""

    @abstractmethod
    def upsert(self, points: Sequence[StoredPoint]) -> None:
        """Write whole points (one a key). A point that is stored with a higher seq is left as it is.

        Raises:
            Rejected: a point cannot be stored as it is. Some of the others may have been.
        """

    @abstractmethod
    def upgrade(self, points: Sequence[StoredPoint]) -> None:
        """As `upsert`, but only where a live point with the same seq is stored: a fact never creates a point."""

    @abstractmethod
    def search(self, query: Query) -> list[Hit]:
        """The user's best live memories by the formula of `ranking`, best first; ties by seq (newer first), then id.

        Raises:
            ValueError: a vector of the query is none of this index.
        """

    @abstractmethod
    def page(self, listing: Listing) -> tuple[list[Point], Place | None]:
        """A page of the user's live memories in the order that is asked for, and where the next one begins."""

    @abstractmethod
    def users(self) -> dict[str, int]:
        """Each user who has live memories, and how many."""

    @abstractmethod
    def count(self) -> int:
        """How many live memories there are."""

    @abstractmethod
    def tombstones(self, since: int) -> int:
        """How many memories were deleted at or after this time (ms) and have not been forgotten."""

    @abstractmethod
    def scroll(self, limit: int, after: str | None = None) -> tuple[list[StoredPoint], str | None]:
        """Points in a stable order, tombstones included, and the mark to go on from (None at the end)."""

    @abstractmethod
    def scroll_points(self, limit: int, after: str | None = None) -> tuple[list[Point], str | None]:
        """As `scroll`, without the vectors, which are most of what a point weighs."""

    @abstractmethod
    def expired(self, before: int, limit: int) -> list[Point]:
        """Live points whose expiry is at or before this time (ms), at most `limit`."""

    @abstractmethod
    def purge(self, before: int) -> None:
        """Forget tombstones of deletions that were appended at or before this time (ms)."""

    @abstractmethod
    def flush(self) -> None:
        """Make every write so far survive a power loss."""

    @abstractmethod
    def close(self) -> None:
        """Flush and let go of the index; further calls fail. A second close does nothing."""
