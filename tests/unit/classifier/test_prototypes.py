"""Nearness to examples: what the batch product gives is what the formula says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier.prototypes import Matrix, Prototypes

DIMENSIONS = 6


def unit(rows: int, seed: int) -> Matrix:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSIONS)).astype(np.float32)
    found: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def mean_of_two(vector: Matrix, examples: Matrix) -> float:
    nearest = sorted((float(vector @ example) for example in examples), reverse=True)[:2]
    return sum(nearest) / len(nearest)


def by_hand(vector: Matrix, label: int, examples: list[Matrix]) -> float:
    """The formula of the docstring, word by word."""
    own = examples[label]
    if not len(own):
        return 0.0
    others = [row for at, rows in enumerate(examples) if at != label for row in rows]
    background = sum(mean_of_two(row, own) for row in others) / len(others) if others else 0.0
    return max(0.0, mean_of_two(vector, own) - background)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any), st.integers(0, 5), st.integers(0, 10**6))
def test_the_formula(counts: list[int], texts: int, seed: int) -> None:
    examples = [unit(count, seed + at) for at, count in enumerate(counts)]
    vectors = unit(texts, seed + 99)
    near = Prototypes(examples).near(vectors)
    assert near.shape == (texts, len(counts))
    wanted = [[by_hand(vector, label, examples) for label in range(len(counts))] for vector in vectors]
    np.testing.assert_allclose(near, np.array(wanted).reshape(near.shape), atol=1e-5)


@given(st.integers(1, 20), st.integers(0, 10**6))
def test_alone_or_in_a_batch(texts: int, seed: int) -> None:
    prototypes, vectors = Prototypes([unit(3, 1), unit(1, 2)]), unit(texts, seed)
    alone = np.concatenate([prototypes.near(vector) for vector in vectors])
    np.testing.assert_allclose(prototypes.near(vectors), alone, atol=1e-6)


def test_plain_sequences_do() -> None:
    prototypes = Prototypes([[[1.0, 0.0]], [], [[0.0, 1.0]]])
    assert prototypes.near([[1.0, 0.0]]).tolist() == [[1.0, 0.0, 0.0]]


def test_without_any_example_there_is_nothing_to_be_near_to() -> None:
    with pytest.raises(ValueError, match="no label has an example"):
        Prototypes([np.empty((0, 4)), []])
