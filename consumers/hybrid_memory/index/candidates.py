"""Which memories could be among the best of a search, with text and words of each.

The nearest texts and the memories with the most telling words are candidates. What a full list may have left out of a
candidate is asked for by its id, where it could still bring it up; so the parts of whatever can win are exact.
"""

from collections.abc import Collection, Sequence
from heapq import nlargest
from typing import NamedTuple

from hybrid_memory.index import ranking
from hybrid_memory.index.points import NO_WORDS, SparseVector
from hybrid_memory.index.ranker import Ask, Ranked, Ranker
from hybrid_memory.index.ranking import Parts
from hybrid_memory.index.rarities import solve
from hybrid_memory.index.store import Query


class Lists(NamedTuple):
    """The nearest texts, the memories with the most telling words, and the BM25 that these words could attain.

    Each list ends at `limit`, if not before.
    """

    texts: Sequence[Ranked]
    words: Sequence[Ranked]
    attainable: float
    limit: int

    @property
    def complete(self) -> bool:
        """Whether every memory that the search could find is in them."""
        return len(self.texts) < self.limit

    @property
    def unseen(self) -> Parts:
        """The most that a memory which is in neither list can have."""
        text, words = (some[-1].score if len(some) == self.limit else 0.0 for some in (self.texts, self.words))
        return self.parts(text, words)

    def parts(self, cosine: float, bm25: float) -> Parts:
        """The parts of a memory, without classifiers."""
        return Parts(ranking.text_part(cosine), ranking.words_part(bm25, self.attainable))


def look_up(ranker: Ranker, query: Query, limit: int, attainable: float | None = None) -> Lists:
    """The lists, of at most `limit` candidates each; `attainable` as far as it is known."""
    asked = [Ask("text", query.vector, limit)]
    if query.words.indices:
        asked.append(Ask("bm25", query.words, limit, with_words=attainable is None))
    texts, *rest = ranker.ask(asked)
    if not rest:
        return Lists(texts, [], 0.0, limit)
    [words] = rest
    lists = Lists(texts, words, attainable or 0.0, limit)
    return lists if attainable is not None else lists._replace(attainable=_attainable(ranker, query, lists))


def _attainable(ranker: Ranker, query: Query, lists: Lists) -> float:
    """Mostly the list of words tells their rarities; for another word, a memory that has it is asked for."""
    words = query.words.indices
    known = solve(words, lists.words)
    full = len(lists.words) == lists.limit
    left = [word for word in words if word not in known and (full or _has_any(lists.words, word))]
    if left:
        found = ranker.ask([Ask("bm25", SparseVector((word,), (1.0,)), 1, with_words=True) for word in left])
        for word, some in zip(left, found, strict=True):
            known |= solve((word,), some)
    unknown = len(words) - len(known)
    memories = (len(lists.texts) if lists.complete else ranker.visible()) if unknown else 0
    return ranking.attainable([*known.values(), *[ranking.rarity_of_unknown(memories)] * unknown])


def _has_any(found: Sequence[Ranked], word: int) -> bool:
    return any(word in (one.words or NO_WORDS).indices for one in found)


def weigh(ranker: Ranker, query: Query, lists: Lists) -> dict[str, Parts]:
    """Text and words of each candidate: exact for whatever `worth` lets through, else no more than it has."""
    cosines, bm25 = ({found.id: found.score for found in some} for some in (lists.texts, lists.words))
    parts = {id_: lists.parts(cosines.get(id_, 0.0), bm25.get(id_, 0.0)) for id_ in cosines | bm25}
    no_text = [id_ for id_ in bm25 if id_ not in cosines]
    no_words = [id_ for id_ in cosines if id_ not in bm25] if len(lists.words) == lists.limit else []
    if not no_text and not no_words:
        return parts
    least, unseen = worth(parts.values(), query.limit), lists.unseen
    no_text = [id_ for id_ in no_text if parts[id_]._replace(text=unseen.text).score >= least]
    no_words = [id_ for id_ in no_words if parts[id_]._replace(words=unseen.words).score >= least]
    texts, words = _asked(
        ranker,
        Ask("text", query.vector, len(no_text), no_text),
        Ask("bm25", query.words, len(no_words), no_words),
    )
    parts |= {found.id: lists.parts(found.score, bm25[found.id]) for found in texts}
    parts |= {found.id: lists.parts(cosines[found.id], found.score) for found in words}
    return parts


def worth(parts: Collection[Parts], limit: int) -> float:
    """The score without classifiers from which on, with them, a memory could still come among the first `limit`."""
    if len(parts) <= limit:
        return 0.0
    return nlargest(limit, (part.score for part in parts))[-1] - Parts(classifiers=1.0).score


def _asked(ranker: Ranker, *asks: Ask) -> list[list[Ranked]]:
    """The answers; about no ids nothing is asked."""
    answers = iter(ranker.ask([ask for ask in asks if ask.limit]) if any(ask.limit for ask in asks) else ())
    return [next(answers) if ask.limit else [] for ask in asks]
