"""A record of Qdrant, embedded or a server's, as a stored point. Both give the same attributes."""

from collections.abc import Mapping
from typing import Any, Protocol

from hybrid_memory.index.payload import from_payload
from hybrid_memory.index.points import SparseVector, StoredPoint, Vectors


class _WithPayload(Protocol):
    @property
    def payload(self) -> Mapping[str, Any] | None: ...


class _WithVectors(_WithPayload, Protocol):
    @property
    def vector(self) -> Any: ...


def payload_of(record: _WithPayload) -> Mapping[str, Any]:
    """The payload of a record that was asked for with it."""
    assert record.payload is not None
    return record.payload


def stored_of(record: _WithVectors) -> StoredPoint:
    """The point with its vectors; a tombstone has none."""
    point = from_payload(payload_of(record))
    if not point.live:
        return StoredPoint(point, None)
    named = record.vector
    vectors = Vectors(
        text=tuple(named["text"]),
        classifiers=tuple(tuple(vector) for vector in named.get("classifiers", ())),
        bm25=sparse_of(named["bm25"]),
    )
    return StoredPoint(point, vectors)


def sparse_of(vector: Any) -> SparseVector:
    """A sparse vector as ours."""
    return SparseVector(tuple(vector.indices), tuple(vector.values))
