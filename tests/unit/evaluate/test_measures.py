"""Measures of rankings, by properties and by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.evaluate.measures import bootstrap, mrr, ndcg, recall
from hybrid_memory.evaluate.questions import Question
from hybrid_memory.evaluate.result import Asked, compare

RANKINGS = st.permutations("abcdefghijkl")
RELEVANT = st.frozensets(st.sampled_from("abcdefghijklxyz"), min_size=1)
MEASURES = (recall, ndcg, mrr)


@given(RANKINGS, RELEVANT, st.integers(1, 15))
def test_measures_are_shares(found: list[str], relevant: frozenset[str], k: int) -> None:
    assert all(0 <= measure(found, relevant, k) <= 1 + 1e-9 for measure in MEASURES)


@given(RANKINGS, RELEVANT, st.integers(1, 10), st.integers(1, 11))
def test_a_relevant_one_that_moves_up_never_does_harm(
    found: list[str], relevant: frozenset[str], k: int, at: int
) -> None:
    better = list(found)
    if better[at] in relevant and better[at - 1] not in relevant:
        better[at], better[at - 1] = better[at - 1], better[at]
    assert all(measure(better, relevant, k) >= measure(found, relevant, k) for measure in MEASURES)


def test_by_hand() -> None:
    found, relevant = ["x", "a", "y", "b"], {"a", "b", "c"}
    assert recall(found, relevant, 2) == pytest.approx(1 / 3)
    assert mrr(found, relevant, 10) == 0.5
    assert mrr(found, {"z"}, 10) == 0
    best = 1 + 1 / math.log2(3) + 0.5
    assert ndcg(found, relevant, 10) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert ndcg(["a", "b", "c"], relevant, 10) == pytest.approx(1)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.integers())
def test_the_interval_holds_the_mean_and_is_the_same_again(values: list[float], seed: int) -> None:
    interval = bootstrap(values, seed, rounds=200)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    assert interval == bootstrap(values, seed, rounds=200)


def test_the_interval_narrows_with_more_questions() -> None:
    few, many = bootstrap([0.0, 1.0] * 5, 1), bootstrap([0.0, 1.0] * 500, 1)
    assert few.low < many.low < 0.5 < many.high < few.high


def test_no_values_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap([], 1)


def test_the_difference_is_paired() -> None:
    question = Question(text="q", relevant=frozenset("a"))
    asked = [Asked(question, ["a", "b"], ["b", "a"])] * 4
    found = compare(asked, 1)
    assert found["MRR@10"].gain == (0.5, 0.5, 0.5)
    assert found["recall@5"].gain.mean == 0
