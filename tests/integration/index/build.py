"""Points for the tests of stores."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hybrid_memory.index.bm25 import bm25_vector
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.points import Point, State, StoredPoint, Vectors
from hybrid_memory.index.store import Query
from hybrid_memory.schemas import Memory, Provenance, memory_key

DIMENSIONS = 64
EMBEDDER = HashEmbedder(DIMENSIONS)
NOW = 1_800_000_000_000
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def vector(text: str) -> tuple[float, ...]:
    return tuple(EMBEDDER.embed([text])[0].tolist())


def live(
    text: str = "I like green tea",
    *,
    user: str = "ann",
    id: str = "m1",
    seq: int = 1,
    classifiers: Sequence[str] = (),
    topic: str | None = None,
    state: State = "final",
    generation: int = 0,
    **memory: Any,
) -> StoredPoint:
    """A live point, its vectors by the hash embedder."""
    point = Point(
        key=memory_key(user, id),
        seq=seq,
        appended_at=NOW + seq,
        memory=Memory.new(user_id=user, memory_id=id, text=text, created_at=EPOCH, **memory),
        state=state,
        topic=topic,
        classifiers=tuple(classifiers),
        generation=generation,
        provenance=Provenance(source="rules", generation=generation, at=EPOCH),
    )
    return StoredPoint(point, Vectors(vector(text), tuple(map(vector, classifiers)), bm25_vector(text)))


def tombstone(*, user: str = "ann", id: str = "m1", seq: int = 2, deleted_at: int = NOW) -> StoredPoint:
    key = memory_key(user, id)
    return StoredPoint(Point(key=key, seq=seq, appended_at=deleted_at, memory=None, state="deleted"), None)


def ask(
    text: str, *, user: str = "ann", limit: int = 10, now: int = NOW, labels: Sequence[str] = (), **rest: Any
) -> Query:
    """A search by text alone, unless `words` are given; `labels` are the context's own classifiers."""
    return Query(user_id=user, vector=vector(text), limit=limit, now=now, labels=[*map(vector, labels)], **rest)
