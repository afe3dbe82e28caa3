"""The layout of an Edge index, and the requests that are put to it."""

from collections.abc import Iterable
from uuid import UUID

import qdrant_edge as edge

from hybrid_memory.index.filters import Filter
from hybrid_memory.index.listing import Listing
from hybrid_memory.index.payload import LIVE_STATES
from hybrid_memory.index.points import SparseVector, StoredPoint
from hybrid_memory.index.ranker import Ask, QueryVector, as_lists
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
        # There is one segment, so threads share nothing; each would only be woken, and waited for.
        max_search_threads=1,
        wal_enabled=True,
    )


def payload_indexes() -> Iterable[edge.UpdateOperation]:
    """The operations that make the payload indexes; only the user's may shape the graph."""
    create = edge.UpdateOperation.create_field_index
    yield create("user_id", edge.KeywordIndexParams(is_tenant=True))
    for field in ("topic", "state", "classifiers", "type", "metadata"):
        yield create(field, edge.KeywordIndexParams(enable_hnsw=False))
    for field in ("seq", "expires_at", "deleted_at", "appended_at", "created_at"):
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


def deleted_since(moment: int) -> edge.Filter:
    """Tombstones of deletions at or after this time (ms)."""
    return edge.Filter(must=[edge.FieldCondition("deleted_at", range=edge.RangeFloat(gte=moment))])


def expired_filter(before: int) -> edge.Filter:
    """Live points that expired at or before this time (ms)."""
    return edge.Filter(must=[until("expires_at", before)])


def tombstone_filter(before: int) -> edge.Filter:
    """Tombstones of deletions at or before this time (ms)."""
    return edge.Filter(must=[until("deleted_at", before)])


def visible(query: Query) -> edge.Filter:
    """What a search could find."""
    return _visible(query.user_id, query.filter, query.now)


def request_of(ask: Ask, visible: edge.Filter) -> Request:
    """A question of a search. Words are as rare as they are among what can be found, not among others' memories."""
    among = None if ask.among is None else edge.Filter(must=[visible, edge.HasIdCondition(set(ask.among))])
    corpus = edge.SearchParams(idf=edge.IdfParams(visible)) if ask.using == "bm25" else None
    return Request(
        limit=ask.limit,
        query=edge.Query.Nearest(_vector(ask.vector), using=ask.using),
        filter=among or visible,
        params=corpus,
        with_vector=["bm25"] if ask.with_words else None,
    )


def _vector(vector: QueryVector) -> "edge.NamedVector":
    if isinstance(vector, SparseVector):
        return edge.SparseVector(list(vector.indices), list(vector.values))
    return as_lists(vector)


def ordered_request(listing: Listing, beyond: int | None, limit: int) -> edge.ScrollRequest:
    """The first memories of a list, after a number where it is given."""
    bound = None
    if beyond is not None:
        bound = edge.RangeFloat(lt=beyond) if listing.descending else edge.RangeFloat(gt=beyond)
    direction = edge.Direction.Desc if listing.descending else edge.Direction.Asc
    return edge.ScrollRequest(
        limit=limit,
        filter=_listed(listing, bound),
        with_payload=True,
        order_by=edge.OrderBy(listing.field, direction),
    )


def tied_request(listing: Listing, value: int, start: str | None, limit: int) -> edge.ScrollRequest:
    """The memories of a list with just this number, by id, beginning with this one where it is given."""
    return edge.ScrollRequest(
        offset=None if start is None else UUID(start),
        limit=limit,
        filter=_listed(listing, edge.RangeFloat(gte=value, lte=value)),
        with_payload=True,
    )


def _listed(listing: Listing, bound: edge.RangeFloat | None) -> edge.Filter:
    visible = _visible(listing.user_id, listing.filter, listing.now)
    bounds = [edge.FieldCondition(listing.field, range=bound)] if bound is not None else []
    return edge.Filter(must=[*(visible.must or []), *bounds], must_not=visible.must_not)


def _visible(user_id: str, wanted: Filter, now: int | None) -> edge.Filter:
    """Whose memories, which of them, and neither deleted nor (at a time) expired."""
    must: list[edge.ConditionType] = [edge.FieldCondition("user_id", match=edge.MatchValue(user_id))]
    must += [edge.FieldCondition(field, match=edge.MatchValue(value)) for field, value in wanted.equals()]
    if wanted.any_classifiers:
        must.append(edge.FieldCondition("classifiers", match=edge.MatchAny(list(wanted.any_classifiers))))
    if wanted.created_from is not None or wanted.created_to is not None:
        between = edge.RangeFloat(gte=wanted.created_from, lt=wanted.created_to)
        must.append(edge.FieldCondition("created_at", range=between))
    deleted = edge.FieldCondition("state", match=edge.MatchValue("deleted"))
    return edge.Filter(must=must, must_not=[deleted, *([until("expires_at", now)] if now is not None else [])])
