"""The layout of an Edge index, and the requests that are put to it."""

from collections.abc import Iterable, Sequence

import qdrant_edge as edge

from hybrid_memory.index.payload import LIVE_STATES
from hybrid_memory.index.points import SparseVector, StoredPoint
from hybrid_memory.index.retrieval import Ask, QueryVector
from hybrid_memory.index.store import Query

Request = edge.QueryRequest

# Two points of ours, without user and state, so that no filter of a memory finds them.
IDENTITY_ID = "00000000-0000-0000-0000-000000000001"
PROGRESS_ID = "00000000-0000-0000-0000-000000000002"

LIVE = edge.Filter(must=[edge.FieldCondition("state", match=edge.MatchAny(list(LIVE_STATES)))])
MEMORIES = edge.Filter(must_not=[edge.HasIdCondition({IDENTITY_ID, PROGRESS_ID})])


def shard_config(dimensions: int) -> edge.EdgeConfig:
    """Vectors and graph of an index.

    16-bit floats halve memory and disk (cosines move by less than 0.001). The graph, which only `optimize` builds, is
    a small one a user: no search crosses users.
    """

    def dense(multivector: edge.MultiVectorConfig | None = None) -> edge.EdgeVectorParams:
        half = edge.VectorStorageDatatype.Float16
        return edge.EdgeVectorParams(dimensions, edge.Distance.Cosine, multivector_config=multivector, datatype=half)

    return edge.EdgeConfig(
        vectors={
            "text": dense(),
            "classifiers": dense(edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)),
        },
        sparse_vectors={"bm25": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000, payload_m=16),
        wal_enabled=True,
    )


def payload_indexes() -> Iterable[edge.UpdateOperation]:
    """The operations that make the payload indexes; only the user's may shape the graph."""
    create = edge.UpdateOperation.create_field_index
    yield create("user_id", edge.KeywordIndexParams(is_tenant=True))
    for field in ("topic", "state", "classifiers", "type"):
        yield create(field, edge.KeywordIndexParams(enable_hnsw=False))
    for field in ("seq", "expires_at", "deleted_at"):
        yield create(field, edge.IntegerIndexParams(lookup=False, range=True, enable_hnsw=False))


def vectors_of(stored: StoredPoint) -> "dict[str, edge.NamedVector]":
    """The named vectors of a point; empty for a tombstone, and without classifiers where it has none."""
    if stored.vectors is None:
        return {}
    sparse = stored.vectors.bm25
    vectors: dict[str, edge.NamedVector] = {
        "text": list(stored.vectors.text),
        "bm25": edge.SparseVector(list(sparse.indices), list(sparse.values)),
    }
    if stored.vectors.classifiers:
        vectors["classifiers"] = [list(vector) for vector in stored.vectors.classifiers]
    return vectors


def until(field: str, moment: int) -> edge.FieldCondition:
    """That a field's time (ms) is at or before a moment."""
    return edge.FieldCondition(field, range=edge.RangeFloat(lte=moment))


def expired_filter(before: int) -> edge.Filter:
    """Live points that expired at or before this time (ms)."""
    return edge.Filter(must=[until("expires_at", before)])


def tombstone_filter(before: int) -> edge.Filter:
    """Tombstones of deletions at or before this time (ms)."""
    return edge.Filter(must=[until("deleted_at", before)])


def request_of(ask: Ask, query: Query) -> Request:
    """A question of a search. Words are as rare as they are among what can be found, not among others' memories."""
    visible = _visible(query)
    must = [*(visible.must or []), *([edge.HasIdCondition(set(ask.among))] if ask.among is not None else [])]
    corpus = edge.SearchParams(idf=edge.IdfParams(visible)) if ask.using == "bm25" else None
    return Request(
        limit=ask.limit,
        query=edge.Query.Nearest(_vector(ask.vector), using=ask.using),
        filter=edge.Filter(must=must, must_not=visible.must_not),
        params=corpus,
        with_vector=["bm25"] if ask.with_words else None,
    )


def visible_count(query: Query) -> edge.CountRequest:
    """How many memories a search could find."""
    return edge.CountRequest(exact=True, filter=_visible(query))


def _vector(vector: QueryVector) -> "edge.NamedVector":
    if isinstance(vector, SparseVector):
        return edge.SparseVector(list(vector.indices), list(vector.values))
    return [list(row) if isinstance(row, Sequence) else row for row in vector]  # type: ignore[return-value]


def _visible(query: Query) -> edge.Filter:
    """Whose memories, of which topic, and neither deleted nor expired."""
    must: list[edge.ConditionType] = [edge.FieldCondition("user_id", match=edge.MatchValue(query.user_id))]
    if query.topic is not None:
        must.append(edge.FieldCondition("topic", match=edge.MatchValue(query.topic)))
    deleted = edge.FieldCondition("state", match=edge.MatchValue("deleted"))
    return edge.Filter(must=must, must_not=[deleted, until("expires_at", query.now)])
