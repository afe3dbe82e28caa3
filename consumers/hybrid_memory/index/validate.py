"""Whether a store can take a point. Pure. Stores disagree on bad vectors (some keep a NaN), so we look first."""

import math
from collections.abc import Sequence

from hybrid_memory.index.points import SparseVector, StoredPoint, Vectors
from hybrid_memory.index.store import Query, Rejected

_UNIT_TOLERANCE = 1e-3
_MAX_INDEX = 2**32 - 1


def check_points(points: Sequence[StoredPoint], dimensions: int) -> None:
    """Refuse points that cannot be stored as they are.

    Raises:
        Rejected: one of them cannot; the message names its key and what is wrong.
        ValueError: a key comes twice in one call, which only a fault of the caller can do.
    """
    if len({stored.point.key for stored in points}) != len(points):
        raise ValueError("one call writes a point at most once; fold the versions of a key first")
    for stored in points:
        fault = _fault(stored, dimensions)
        if fault:
            raise Rejected(f"{stored.point.key}: {fault}")


def check_query(query: Query, dimensions: int) -> None:
    """Refuse a query whose vectors are none of this index.

    Raises:
        ValueError: the message says which and what is wrong.
    """
    if fault := vector_fault(query.vector, dimensions):
        raise ValueError(f"the query's vector {fault}")
    for number, label in enumerate(query.labels):
        if fault := vector_fault(label, dimensions):
            raise ValueError(f"the query's label vector {number} {fault}")


def vector_fault(vector: Sequence[float], dimensions: int) -> str | None:
    """What is wrong with a dense vector, or None. NaN and infinity show as a length that is not 1."""
    if len(vector) != dimensions:
        return f"has {len(vector)} dimensions, not {dimensions}"
    length = math.hypot(*vector)
    return None if abs(length - 1) <= _UNIT_TOLERANCE else f"has length {length:.4g}, not 1"


def _fault(stored: StoredPoint, dimensions: int) -> str | None:
    if stored.point.live != (stored.vectors is not None) or stored.point.live == (stored.point.state == "deleted"):
        return f"a live point has vectors and a tombstone has none; this one is {stored.point.state}"
    if stored.vectors is None:
        return None
    return _vectors_fault(stored.vectors, len(stored.point.classifiers), dimensions)


def _vectors_fault(vectors: Vectors, classifiers: int, dimensions: int) -> str | None:
    if fault := vector_fault(vectors.text, dimensions):
        return f"its text vector {fault}"
    if len(vectors.classifiers) != classifiers:
        return f"it has {classifiers} classifiers and {len(vectors.classifiers)} classifier vectors"
    for number, vector in enumerate(vectors.classifiers):
        if fault := vector_fault(vector, dimensions):
            return f"its classifier vector {number} {fault}"
    return _sparse_fault(vectors.bm25)


def _sparse_fault(vector: SparseVector) -> str | None:
    if len(vector.indices) != len(vector.values) or len(set(vector.indices)) != len(vector.indices):
        return "its bm25 vector needs one value for each of its different indices"
    if not all(0 <= index <= _MAX_INDEX for index in vector.indices) or not all(map(math.isfinite, vector.values)):
        return "its bm25 vector has an index or a value out of range"
    return None
