"""Finds a user's best memories in any store that can rank by one vector: in three questions at most, mostly two.

The nearest texts and the memories with the most telling words are candidates; a candidate of one list that is missing
in the other is asked for by its id, so every part of every score is exact. Classifiers weigh so little that only
candidates near the cut need theirs.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hybrid_memory.index import ranking
from hybrid_memory.index.points import Point, SparseVector
from hybrid_memory.index.ranking import Parts
from hybrid_memory.index.store import Hit, Query

Using = Literal["text", "bm25", "classifiers"]
QueryVector = Sequence[float] | Sequence[Sequence[float]] | SparseVector

_CANDIDATES = (256, 2048)
_NEAR = 512


@dataclass(frozen=True, slots=True)
class Ask:
    """The user's visible memories that rank highest by one vector; `among` these ids alone, where given."""

    using: Using
    vector: QueryVector
    limit: int
    among: Collection[str] | None = None
    with_words: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """An id and its score; `words` where they were asked for."""

    id: str
    score: float
    words: SparseVector | None = None


class Ranker(ABC):
    """What a store can be asked within one search. Filters (whose, of which topic, still visible) are its matter."""

    @abstractmethod
    def ask(self, asked: Sequence[Ask]) -> list[list[Ranked]]:
        """The answers, in their order, in one round trip."""

    @abstractmethod
    def visible(self) -> int:
        """How many memories the search could find."""

    @abstractmethod
    def points(self, ids: Collection[str]) -> Mapping[str, Point]:
        """These points by id."""


def find(ranker: Ranker, query: Query) -> list[Hit]:
    """The best memories, best first; ties by seq (newer first), then id.

    Raises:
        RuntimeError: the store answered with another user's memory.
    """
    if query.limit < 1:
        return []
    hits: list[Hit] = []
    for candidates in _CANDIDATES:
        hits, missed = _find(ranker, query, max(candidates, query.limit))
        if missed is None or (len(hits) == query.limit and hits[-1].score >= missed):
            break
    return hits


def _find(ranker: Ranker, query: Query, candidates: int) -> tuple[list[Hit], float | None]:
    """The hits, and the best score that a memory which was no candidate could have; None where all were candidates."""
    texts, words, rarities = _lists(ranker, query, candidates)
    cosines, bm25 = _filled(ranker, query, texts, words, candidates)
    parts = {
        id_: Parts(ranking.text_part(cosines[id_]), ranking.words_part(bm25.get(id_, 0.0), rarities)) for id_ in cosines
    }
    parts = _with_classifiers(ranker, query, _near(parts, query.limit))
    points = ranker.points(parts)
    hits = sorted(_hits(points, parts, query), key=lambda hit: (-hit.score, -hit.point.seq, hit.point.id))
    if len(texts) < candidates:
        return hits[: query.limit], None
    rest = words[-1].score if len(words) == candidates else 0.0
    missed = Parts(ranking.text_part(texts[-1].score), ranking.words_part(rest, rarities), bool(query.labels))
    return hits[: query.limit], missed.score


def _lists(ranker: Ranker, query: Query, limit: int) -> tuple[list[Ranked], list[Ranked], list[float]]:
    """The nearest texts, the most telling words, and how rare each of the context's words is."""
    asked = [Ask("text", query.vector, limit)]
    if query.words.indices:
        asked.append(Ask("bm25", query.words, limit))
        asked += [Ask("bm25", SparseVector((word,), (1.0,)), 1, with_words=True) for word in query.words.indices]
    texts, *rest = ranker.ask(asked)
    if not rest:
        return texts, [], []
    words, *each = rest
    known = [_rarity(found[0], word) for found, word in zip(each, query.words.indices, strict=True) if found]
    unknown = len(each) - len(known)
    if unknown:
        memories = len(texts) if len(texts) < limit else ranker.visible()
        known += [ranking.rarity_of_unknown(memories)] * unknown
    return texts, words, known


def _rarity(found: Ranked, word: int) -> float:
    """The weight of a word, from a memory that has it: its score for this word alone is that times its own weight."""
    assert found.words is not None
    return found.score / found.words.values[found.words.indices.index(word)]


def _filled(
    ranker: Ranker, query: Query, texts: Sequence[Ranked], words: Sequence[Ranked], limit: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Cosine and BM25 of every candidate; what a full list may have left out is asked for."""
    cosines, bm25 = {found.id: found.score for found in texts}, {found.id: found.score for found in words}
    no_text = [id_ for id_ in bm25 if id_ not in cosines]
    no_words = [id_ for id_ in cosines if id_ not in bm25] if len(words) == limit else []
    asked = [
        *([Ask("text", query.vector, len(no_text), no_text)] if no_text else []),
        *([Ask("bm25", query.words, len(no_words), no_words)] if no_words else []),
    ]
    if asked:
        answers = iter(ranker.ask(asked))
        for known, missing in ((cosines, no_text), (bm25, no_words)):
            if missing:
                known.update({found.id: found.score for found in next(answers)})
    return cosines, bm25


def _near(parts: Mapping[str, Parts], limit: int) -> dict[str, Parts]:
    """Those whose classifiers could still bring them among the first `limit`, and whoever ties with them."""
    order = sorted(parts, key=lambda id_: -parts[id_].score)
    if len(order) <= limit:
        return dict(parts)
    most = Parts(classifiers=1.0).score
    cut = parts[order[limit - 1]].score - most
    near = [id_ for id_ in order if parts[id_].score >= cut]
    return {id_: parts[id_] for id_ in near[: max(_NEAR, limit)]}


def _with_classifiers(ranker: Ranker, query: Query, parts: dict[str, Parts]) -> dict[str, Parts]:
    if not query.labels or not parts:
        return parts
    [found] = ranker.ask([Ask("classifiers", query.labels, len(parts), list(parts))])
    count = len(query.labels)
    shares = {one.id: ranking.classifiers_part(one.score, count) for one in found}
    return {id_: Parts(part.text, part.words, shares.get(id_, 0.0)) for id_, part in parts.items()}


def _hits(points: Mapping[str, Point], parts: Mapping[str, Parts], query: Query) -> Iterator[Hit]:
    for id_, point in points.items():
        if point.memory is None:  # deleted since it was ranked
            continue
        if point.memory.user_id != query.user_id:
            raise RuntimeError(f"the index answered a search with what is not that user's memory: point {id_}")
        yield Hit(point, parts[id_].score, parts[id_])
