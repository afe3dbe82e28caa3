"""The layout of an index on a Qdrant server, and the requests that are put to it. Pure.

Every field that a filter names is indexed, so a server in strict mode takes them all.
"""

from collections.abc import Iterable
from typing import Any

from qdrant_client import models

from hybrid_memory.index.payload import LIVE_STATES, to_payload
from hybrid_memory.index.points import Point, StoredPoint
from hybrid_memory.index.store import Query

LIVE = models.Filter(must=[models.FieldCondition(key="state", match=models.MatchAny(any=list(LIVE_STATES)))])
MEMORIES = models.Filter(
    must=[models.FieldCondition(key="state", match=models.MatchAny(any=[*LIVE_STATES, "deleted"]))]
)
"""What the index says of itself has no state."""


def vectors_config(dimensions: int) -> dict[str, models.VectorParams]:
    """16-bit floats: half the memory, cosines move by less than 0.001."""

    def dense(multivector: models.MultiVectorConfig | None = None) -> models.VectorParams:
        return models.VectorParams(
            size=dimensions,
            distance=models.Distance.COSINE,
            multivector_config=multivector,
            datatype=models.Datatype.FLOAT16,
        )

    many = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    return {"text": dense(), "classifiers": dense(many)}


def sparse_config() -> dict[str, models.SparseVectorParams]:
    """Words; the weight of rare ones is the server's part."""
    return {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)}


def graph_config() -> models.HnswConfigDiff:
    """A small graph a user, and none over all: no search crosses users."""
    return models.HnswConfigDiff(m=0, ef_construct=100, full_scan_threshold=10_000, payload_m=16)


def payload_indexes() -> dict[str, models.KeywordIndexParams | models.IntegerIndexParams]:
    """The indexed fields. Only the user's may shape the graph: the others would make it a hundred times dearer."""
    keyword, integer = models.KeywordIndexType.KEYWORD, models.IntegerIndexType.INTEGER
    words = {
        name: models.KeywordIndexParams(type=keyword, enable_hnsw=False)
        for name in ("topic", "state", "classifiers", "type", "meta")
    }
    numbers = {
        name: models.IntegerIndexParams(type=integer, lookup=False, range=True, enable_hnsw=False)
        for name in ("seq", "rank", "expires_at", "deleted_at", "position")
    }
    return {"user_id": models.KeywordIndexParams(type=keyword, is_tenant=True), **words, **numbers}


def to_struct(stored: StoredPoint) -> models.PointStruct:
    """A point as the server takes it."""
    payload = to_payload(stored.point) | {"rank": rank_in_seq(stored.point)}
    return models.PointStruct(id=stored.point.id, vector=vectors_of(stored), payload=payload)


def vectors_of(stored: StoredPoint) -> dict[str, Any]:
    """The named vectors of a point; empty for a tombstone, and without classifiers where it has none."""
    if stored.vectors is None:
        return {}
    sparse = stored.vectors.bm25
    vectors: dict[str, Any] = {
        "text": list(stored.vectors.text),
        "bm25": models.SparseVector(indices=list(sparse.indices), values=list(sparse.values)),
    }
    if stored.vectors.classifiers:
        vectors["classifiers"] = [list(vector) for vector in stored.vectors.classifiers]
    return vectors


# Guards: they are evaluated on the server, point by point, in the request that writes.


def rank_in_seq(point: Point) -> int:
    """The order rule among versions of one seq, as one number: made by the caller, generation, made by a model."""
    return (point.source == "provided") << 40 | point.generation << 1 | (point.source == "llm")


def not_newer(points: Iterable[StoredPoint]) -> models.Filter:
    """That what is stored of each point has no higher seq, and no higher rank within the same seq."""
    return any_of(
        of_id(stored.point.id, any_of([_below("seq", stored.point.seq), _same_seq(stored.point)])) for stored in points
    )


def same_version(points: Iterable[StoredPoint]) -> models.Filter:
    """That what is stored of each point is live, of the same seq, and of no higher rank."""
    return any_of(of_id(stored.point.id, LIVE, _same_seq(stored.point)) for stored in points)


def _same_seq(point: Point) -> models.Filter:
    seq = models.FieldCondition(key="seq", range=models.Range(gte=point.seq, lte=point.seq))
    return models.Filter(must=[seq, up_to("rank", rank_in_seq(point))])


def any_of(conditions: Iterable[models.Condition]) -> models.Filter:
    """That at least one holds."""
    return models.Filter(should=list(conditions))


def of_id(id_: str, *conditions: models.Condition) -> models.Filter:
    """That it is this point, and all of these hold."""
    return models.Filter(must=[models.HasIdCondition(has_id=[id_]), *conditions])


def up_to(field: str, number: int) -> models.FieldCondition:
    """That a field is at most this."""
    return models.FieldCondition(key=field, range=models.Range(lte=number))


def _below(field: str, number: int) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=models.Range(lt=number))


# Lists and searches


def expired_filter(before: int) -> models.Filter:
    """Live points that expired at or before this time (ms)."""
    return models.Filter(must=[up_to("expires_at", before)])


def tombstone_filter(before: int) -> models.Filter:
    """Tombstones of deletions at or before this time (ms)."""
    return models.Filter(must=[up_to("deleted_at", before)])


def text_request(query: Query, limit: int) -> models.QueryRequest:
    """The nearest texts."""
    return models.QueryRequest(
        query=list(query.vector), using="text", filter=_visible(query), limit=limit, with_payload=True
    )


def weighted_requests(query: Query, limit: int, candidates: int) -> list[models.QueryRequest]:
    """Two requests: the nearest texts scored `text + weight × classifiers`, and the worst text that was a candidate.

    Both parts are scored for exactly the same candidates, so none is missing by chance; memories without classifiers
    count 0 there, and so do classifiers that point away from the query.
    """
    visible, vector = _visible(query), list(query.vector)
    texts = models.Prefetch(query=vector, using="text", filter=visible, limit=candidates)
    classifiers = models.Prefetch(
        prefetch=[texts], query=[vector], using="classifiers", filter=visible, limit=candidates, score_threshold=0.0
    )
    formula = models.FormulaQuery(
        formula=models.SumExpression(
            sum=["$score[0]", models.MultExpression(mult=[query.classifier_weight, "$score[1]"])]
        ),
        defaults={"$score[0]": -1.0, "$score[1]": 0.0},
    )
    best = models.QueryRequest(
        prefetch=[texts, classifiers], query=formula, filter=visible, limit=limit, with_payload=True
    )
    worst = models.QueryRequest(query=vector, using="text", filter=visible, limit=1, offset=candidates - 1)
    return [best, worst]


def _visible(query: Query) -> models.Filter:
    """Whose memories, of which topic, and neither deleted nor expired."""
    must: list[models.Condition] = [_equals("user_id", query.user_id)]
    if query.topic is not None:
        must.append(_equals("topic", query.topic))
    return models.Filter(must=must, must_not=[_equals("state", "deleted"), up_to("expires_at", query.now)])


def _equals(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
