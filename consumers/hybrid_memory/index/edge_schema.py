"""The layout of an Edge index, and the requests that are put to it."""

from collections.abc import Iterable, Sequence

import qdrant_edge as edge

from hybrid_memory.index.payload import LIVE_STATES
from hybrid_memory.index.points import StoredPoint
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


def text_request(query: Query, limit: int) -> Request:
    """The nearest texts."""
    filters = _visible(query)
    return Request(limit=limit, query=_nearest(query.vector, "text"), filter=filters, with_payload=True)


def weighted_requests(query: Query, limit: int, candidates: int) -> edge.QueryBatchRequest:
    """Two requests: the nearest texts scored `text + weight × classifiers`, and the worst text that was a candidate.

    Both parts are scored for exactly the same candidates, so none is missing by chance; memories without classifiers
    count 0 there, and so do classifiers that point away from the query.
    """
    filters = _visible(query)
    texts = edge.Prefetch(limit=candidates, query=_nearest(query.vector, "text"), filter=filters)
    classifiers = edge.Prefetch(
        limit=candidates, query=_nearest([list(query.vector)], "classifiers"), filter=filters, prefetches=[texts]
    )
    of = edge.Expression
    classified = of.Max([of.Constant(0.0), of.Variable("$score[1]")])
    score = of.Sum([of.Variable("$score[0]"), of.Mult([of.Constant(query.classifier_weight), classified])])
    formula = edge.Formula(score, {"$score[0]": -1.0, "$score[1]": 0.0})
    best = Request(limit=limit, query=formula, prefetches=[texts, classifiers], filter=filters, with_payload=True)
    worst = Request(limit=1, offset=candidates - 1, query=_nearest(query.vector, "text"), filter=filters)
    return edge.QueryBatchRequest([best, worst])


def _nearest(vector: Sequence[float] | list[list[float]], using: str) -> edge.Query:
    return edge.Query.Nearest(list(vector), using=using)  # type: ignore[arg-type]  # a vector or a list of them


def _visible(query: Query) -> edge.Filter:
    """Whose memories, of which topic, and neither deleted nor expired."""
    must: list[edge.ConditionType] = [edge.FieldCondition("user_id", match=edge.MatchValue(query.user_id))]
    if query.topic is not None:
        must.append(edge.FieldCondition("topic", match=edge.MatchValue(query.topic)))
    deleted = edge.FieldCondition("state", match=edge.MatchValue("deleted"))
    return edge.Filter(must=must, must_not=[deleted, until("expires_at", query.now)])
