"""The layout of an index on a Qdrant server, and the requests that are put to it. Pure.

Every field that a filter names is indexed, so a server in strict mode takes them all.
"""

from collections.abc import Iterable
from typing import Any

from qdrant_client import models

from hybrid_memory.index.filters import Filter
from hybrid_memory.index.listing import Listing
from hybrid_memory.index.payload import LIVE_STATES, to_payload
from hybrid_memory.index.points import Point, SparseVector, StoredPoint
from hybrid_memory.index.ranker import Ask, QueryVector, as_lists
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
        for name in ("topic", "state", "classifiers", "type", "metadata", "meta")
    }
    numbers = {
        name: models.IntegerIndexParams(type=integer, lookup=False, range=True, enable_hnsw=False)
        for name in ("seq", "rank", "expires_at", "deleted_at", "appended_at", "created_at", "position")
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


def deleted_since(moment: int) -> models.Filter:
    """Tombstones of deletions at or after this time (ms)."""
    return models.Filter(must=[models.FieldCondition(key="deleted_at", range=models.Range(gte=moment))])


def tombstone_filter(before: int) -> models.Filter:
    """Tombstones of deletions at or before this time (ms)."""
    return models.Filter(must=[up_to("deleted_at", before)])


def visible(query: Query) -> models.Filter:
    """What a search could find."""
    return visible_filter(query.user_id, query.filter, query.now)


def request_of(ask: Ask, visible: models.Filter) -> models.QueryRequest:
    """A question of a search. Words are as rare as they are among what can be found, not among others' memories."""
    among = [] if ask.among is None else [models.HasIdCondition(has_id=list(ask.among))]
    corpus = models.SearchParams(idf=models.IdfCorpusParams(corpus=visible)) if ask.using == "bm25" else None
    return models.QueryRequest(
        query=_vector(ask.vector),
        using=ask.using,
        filter=models.Filter(must=[*_all(visible.must), *among], must_not=visible.must_not),
        params=corpus,
        limit=ask.limit,
        with_vector=["bm25"] if ask.with_words else None,
    )


def _vector(vector: QueryVector) -> Any:
    if isinstance(vector, SparseVector):
        return models.SparseVector(indices=list(vector.indices), values=list(vector.values))
    return as_lists(vector)


def _all(conditions: Any) -> list[models.Condition]:
    return list(conditions or ())


def ordered_request(listing: Listing, beyond: int | None, limit: int) -> dict[str, Any]:
    """The first memories of a list, after a number where it is given, as arguments of a scroll."""
    bound = None
    if beyond is not None:
        bound = models.Range(lt=beyond) if listing.descending else models.Range(gt=beyond)
    direction = models.Direction.DESC if listing.descending else models.Direction.ASC
    order = models.OrderBy(key=listing.field, direction=direction)
    return {"scroll_filter": _listed(listing, bound), "limit": limit, "order_by": order}


def tied_request(listing: Listing, value: int, start: str | None, limit: int) -> dict[str, Any]:
    """The memories of a list with just this number, by id, beginning with this one where it is given."""
    return {"scroll_filter": _listed(listing, models.Range(gte=value, lte=value)), "limit": limit, "offset": start}


def _listed(listing: Listing, bound: models.Range | None) -> models.Filter:
    visible = visible_filter(listing.user_id, listing.filter, listing.now)
    bounds = [models.FieldCondition(key=listing.field, range=bound)] if bound is not None else []
    return models.Filter(must=[*_all(visible.must), *bounds], must_not=visible.must_not)


def visible_filter(user_id: str, wanted: Filter, now: int | None) -> models.Filter:
    """Whose memories, which of them, and neither deleted nor (at a time) expired."""
    must: list[models.Condition] = [_equals("user_id", user_id)]
    must += [_equals(field, value) for field, value in wanted.equals()]
    if wanted.any_classifiers:
        any_of_them = models.MatchAny(any=list(wanted.any_classifiers))
        must.append(models.FieldCondition(key="classifiers", match=any_of_them))
    if wanted.created_from is not None or wanted.created_to is not None:
        between = models.Range(gte=wanted.created_from, lt=wanted.created_to)
        must.append(models.FieldCondition(key="created_at", range=between))
    expired = [up_to("expires_at", now)] if now is not None else []
    return models.Filter(must=must, must_not=[_equals("state", "deleted"), *expired])


def _equals(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
