"""The formula of a score, and how candidates are found, with a store that is a dictionary."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.index import ranking
from hybrid_memory.index.points import Point, SparseVector
from hybrid_memory.index.ranker import Ask, Ranked, Ranker
from hybrid_memory.index.ranking import Parts
from hybrid_memory.index.retrieval import find
from hybrid_memory.index.store import Query
from hybrid_memory.schemas import Memory

NUMBERS = st.floats(-10, 10)
SHARES = st.floats(0, 1)


@given(st.builds(Parts, SHARES, SHARES, SHARES), st.sampled_from(["text", "words", "classifiers"]), SHARES)
def test_a_score_is_between_0_and_1_and_grows_with_each_part(parts: Parts, which: str, other: float) -> None:
    assert 0 <= parts.score <= 1
    values = {name: getattr(parts, name) for name in ("text", "words", "classifiers")}
    higher = Parts(**values | {which: max(values[which], other)})
    assert higher.score >= parts.score


@given(NUMBERS, st.lists(st.floats(0, 10), max_size=5), st.integers(0, 5))
def test_parts_are_shares_whatever_a_store_says(number: float, rarities: list[float], labels: int) -> None:
    for part in (
        ranking.text_part(number),
        ranking.words_part(number, ranking.attainable(rarities)),
        ranking.classifiers_part(number, labels),
    ):
        assert 0 <= part <= 1


def test_parts_have_the_meaning_that_is_documented() -> None:
    assert Parts(1, 1, 1).score == pytest.approx(1)
    assert Parts(1, 0, 0).score == pytest.approx(1 / 2.05)
    assert ranking.words_part(1.9 * 3.0, ranking.attainable([1.0, 2.0])) == pytest.approx(1)
    assert ranking.words_part(1.0, ranking.attainable([])) == 0
    assert ranking.classifiers_part(2.0, 2) == pytest.approx(1)
    assert ranking.classifiers_part(1.5, 2) == pytest.approx(0.5)
    assert ranking.classifiers_part(1.0, 2) == 0
    assert ranking.rarity_of_unknown(0) == pytest.approx(math.log(2))


class Shelf(Ranker):
    """Memories as (text, words, classifiers) scores; the one word that is asked for weighs 1 everywhere."""

    def __init__(self, memories: Sequence[tuple[float, float, float]]) -> None:
        self.memories = {f"{n:04}": scores for n, scores in enumerate(memories)}
        self.asked: list[Sequence[Ask]] = []

    def ask(self, asked: Sequence[Ask]) -> list[list[Ranked]]:
        self.asked.append(asked)
        return [self._ranked(ask) for ask in asked]

    def visible(self) -> int:
        return len(self.memories)

    def points(self, ids: Collection[str]) -> Mapping[str, Point]:
        return {id_: self._point(id_) for id_ in ids}

    def _ranked(self, ask: Ask) -> list[Ranked]:
        part = ("text", "bm25", "classifiers").index(ask.using)
        among = self.memories if ask.among is None else ask.among
        found = [(id_, self.memories[id_][part]) for id_ in among if part == 0 or self.memories[id_][part] > 0]
        found.sort(key=lambda one: -one[1])
        # The one word's rarity is 1.
        return [
            Ranked(id_, score, SparseVector((7,), (score,)) if ask.with_words else None)
            for id_, score in found[: ask.limit]
        ]

    def _point(self, id_: str) -> Point:
        memory = Memory.new(user_id="ann", memory_id=id_, text="x", created_at=datetime(2026, 1, 1, tzinfo=UTC))
        return Point(key=f"ann/{id_}", seq=int(id_), appended_at=1, memory=memory, state="final")

    def best(self, limit: int) -> list[tuple[float, int]]:
        """Scores and seqs by the formula alone."""
        scored = (
            Parts(ranking.text_part(text), ranking.words_part(words, 1.9), ranking.classifiers_part(labels, 1)).score
            for text, words, labels in self.memories.values()
        )
        return sorted(((score, seq) for seq, score in enumerate(scored)), key=lambda one: (-one[0], -one[1]))[:limit]


QUERY = Query("ann", (1.0,), 5, 0, words=SparseVector((7,), (1.0,)), labels=[(1.0,)])
SCORES = st.tuples(st.floats(-1, 1), st.floats(0, 1.9), st.floats(0, 1))


@given(st.lists(SCORES, max_size=600))
def test_the_best_are_found_whichever_part_brings_them_up(memories: list[tuple[float, float, float]]) -> None:
    shelf = Shelf(memories)
    hits = find(shelf, QUERY)
    wanted = shelf.best(QUERY.limit)
    assert [hit.point.seq for hit in hits] == [seq for _, seq in wanted]
    assert [hit.score for hit in hits] == pytest.approx([score for score, _ in wanted])


def test_more_candidates_are_asked_for_where_a_better_memory_could_be_missing() -> None:
    # Fair in both lists, and first in neither: 300 are better by text alone, 300 others by words alone.
    by_text, by_words = [(0.9, 0.0, 0.0)] * 300, [(0.0, 1.71, 0.0)] * 300
    shelf = Shelf([*by_text, *by_words, (0.8, 1.52, 0.0)])
    assert find(shelf, QUERY)[0].point.seq == 600
    assert max(ask.limit for asked in shelf.asked for ask in asked) == 2048


def test_small_shelves_take_two_questions() -> None:
    shelf = Shelf([(0.5, 0.2, 0.9)] * 20)
    find(shelf, QUERY)
    assert len(shelf.asked) == 2


def test_another_users_memory_is_never_handed_out() -> None:
    class Wrong(Shelf):
        def _point(self, id_: str) -> Point:
            memory = Memory.new(user_id="bob", memory_id=id_, text="x")
            return Point(key=f"bob/{id_}", seq=1, appended_at=1, memory=memory, state="final")

    with pytest.raises(RuntimeError, match="not that user's memory"):
        find(Wrong([(0.5, 0.2, 0.9)]), QUERY)


def test_where_some_are_deleted_meanwhile_others_take_their_places() -> None:
    class Shrinking(Shelf):
        def points(self, ids: Collection[str]) -> Mapping[str, Point]:
            gone = {id_ for id_ in ids if int(id_) >= 15}
            self.memories = {id_: scores for id_, scores in self.memories.items() if id_ not in gone}
            found = super().points(ids)
            return {id_: replace(point, memory=None) if id_ in gone else point for id_, point in found.items()}

    hits = find(Shrinking([(number / 20, 0.0, 0.0) for number in range(20)]), QUERY)
    assert [hit.point.seq for hit in hits] == [14, 13, 12, 11, 10]
