"""The rarities of a query's words, from the scores of memories that have some of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.index.points import SparseVector
from hybrid_memory.index.ranker import Ranked
from hybrid_memory.index.rarities import solve

RARITY = {1: 0.1, 2: 0.7, 3: 2.3, 4: 6.9, 5: 11.5}
OTHERS = st.integers(6, 9)


def ranked(weights: dict[int, float]) -> Ranked:
    """A memory with these words, scored in 32 bits as stores do."""
    score = np.float32(0)
    for word, weight in weights.items():
        score += np.float32(weight) * np.float32(RARITY.get(word, 0.0))
    return Ranked("m", float(score), SparseVector(tuple(weights), tuple(weights.values())))


memories = st.dictionaries(st.sampled_from(sorted(RARITY)) | OTHERS, st.floats(0.25, 1.75, width=32), max_size=7)


@given(st.lists(memories, max_size=12))
def test_what_is_told_is_right_and_nothing_is_told_of_words_that_none_has(some: list[dict[int, float]]) -> None:
    told = solve(list(RARITY), [ranked(weights) for weights in some])
    there = {word for weights in some for word in weights}
    alone = {word for weights in some if len(own := weights.keys() & RARITY.keys()) == 1 for word in own}
    assert alone <= told.keys() <= there & RARITY.keys()
    for word, rarity in told.items():
        assert rarity == pytest.approx(RARITY[word], abs=2e-4)


def test_one_word_leads_to_the_next() -> None:
    pair, three, one = ({3: 0.5, 4: 1.0}, {3: 0.4, 4: 0.3, 5: 0.9}, {3: 0.8, 9: 1.0})
    assert solve([3, 4, 5], [ranked(weights) for weights in (three, pair, one)]) == pytest.approx(
        {3: 2.3, 4: 6.9, 5: 11.5}, abs=1e-4
    )
    assert solve([3, 4, 5], [ranked(three), ranked(pair)]) == {}
