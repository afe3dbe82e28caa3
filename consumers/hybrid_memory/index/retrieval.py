"""Finds a user's best memories in any store that can rank by one vector: in three questions at most, mostly two.

Classifiers weigh so little that only candidates near the cut need theirs.
"""

from collections.abc import Iterator, Mapping
from heapq import nlargest

from hybrid_memory.index import ranking
from hybrid_memory.index.candidates import look_up, weigh, worth
from hybrid_memory.index.points import Point
from hybrid_memory.index.ranker import Ask, Ranker
from hybrid_memory.index.ranking import Parts
from hybrid_memory.index.store import Hit, Query

_CANDIDATES = (64, 256, 2048)
_NEAR = 512


def find(ranker: Ranker, query: Query) -> list[Hit]:
    """The best memories, best first; ties by seq (newer first), then id.

    Raises:
        RuntimeError: the store answered with another user's memory.
    """
    if query.limit < 1:
        return []
    hits: list[Hit] = []
    attainable: float | None = None
    for candidates in _CANDIDATES:
        lists = look_up(ranker, query, max(candidates, query.limit), attainable)
        attainable = lists.attainable
        parts = _with_classifiers(ranker, query, _near(weigh(ranker, query, lists), query.limit))
        hits = _best(ranker, query, parts)
        if len(hits) < min(query.limit, len(parts)):  # some were deleted since they were ranked: look again
            continue
        unseen = lists.unseen._replace(classifiers=float(bool(query.labels)))
        if lists.complete or (len(hits) == query.limit and hits[-1].score >= unseen.score):
            break
    return hits


def _near(parts: Mapping[str, Parts], limit: int) -> Mapping[str, Parts]:
    """Those whose classifiers could still bring them among the first `limit`, and whoever ties with them."""
    least = worth(parts.values(), limit)
    near = {id_: part for id_, part in parts.items() if part.score >= least}
    most = max(_NEAR, limit)
    if len(near) <= most:
        return near
    return {id_: near[id_] for id_ in nlargest(most, near, key=lambda id_: near[id_].score)}


def _with_classifiers(ranker: Ranker, query: Query, parts: Mapping[str, Parts]) -> Mapping[str, Parts]:
    if not query.labels or not parts:
        return parts
    [found] = ranker.ask([Ask("classifiers", query.labels, len(parts), list(parts))])
    count = len(query.labels)
    shares = {one.id: ranking.classifiers_part(one.score, count) for one in found}
    return {id_: part._replace(classifiers=shares.get(id_, 0.0)) for id_, part in parts.items()}


def _best(ranker: Ranker, query: Query, parts: Mapping[str, Parts]) -> list[Hit]:
    """The first ones. Only they are read, and whoever ties with the last."""
    scores = {id_: part.score for id_, part in parts.items()}
    last = nlargest(query.limit, scores.values())[-1] if scores else 0.0
    points = ranker.points([id_ for id_, score in scores.items() if score >= last])
    hits = {id_: Hit(point, scores[id_], parts[id_]) for id_, point in _live(points, query.user_id)}
    order = sorted(hits, key=lambda id_: (-scores[id_], -hits[id_].point.seq, id_))
    return [hits[id_] for id_ in order[: query.limit]]


def _live(points: Mapping[str, Point], user_id: str) -> Iterator[tuple[str, Point]]:
    for id_, point in points.items():
        if point.memory is None:
            continue
        if point.memory.user_id != user_id:
            raise RuntimeError(f"the index answered a search with what is not that user's memory: point {id_}")
        yield id_, point
