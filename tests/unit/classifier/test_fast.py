"""Key words and nearness in one score: who counts, in which order, and when nothing does."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier import Label, Rules, Taxonomy, default_taxonomy
from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.classifier.prototypes import Prototypes

NAMES = ("cat", "boat", "bread", "chess")
TAXONOMY = Taxonomy(
    version="t7",
    labels=tuple(
        Label(name=name, description=name, keywords=(name, f"{name} club"), topic="food" if name == "bread" else None)
        for name in NAMES
    ),
)
FAST = FastClassifier(Rules(TAXONOMY), Prototypes([[row] for row in np.eye(4, 5)]))
"""Each label has an axis; the fifth is nobody's."""


def towards(**cosines: float) -> list[float]:
    """A unit vector with these cosines to the labels' examples; the rest of it is nobody's."""
    vector = [cosines.get(name, 0.0) for name in NAMES]
    return [*vector, math.sqrt(max(0.0, 1 - sum(value * value for value in vector)))]


@pytest.mark.parametrize(
    ("text", "vector", "classifiers"),
    [
        pytest.param("it purrs", towards(cat=0.3), ("cat",), id="near enough"),
        pytest.param("it purrs", towards(cat=0.07), (), id="not near enough"),
        pytest.param("a cat", towards(), ("cat",), id="a key word is enough"),
        pytest.param("a cat", towards(cat=-0.5), ("cat",), id="whatever else the sentence is about"),
        pytest.param("a cat", towards(cat=0.1, boat=0.3), ("boat", "cat"), id="nearness outweighs a word"),
        pytest.param("a cat", towards(cat=0.2, boat=0.3), ("cat", "boat"), id="both together outweigh one"),
        pytest.param("a cat", towards(boat=0.31), ("boat",), id="less than half of the strongest does not count"),
        pytest.param("", towards(chess=0.4, bread=0.5, boat=0.4, cat=0.4), ("bread", "cat", "boat"), id="three"),
        pytest.param("bread cat club", towards(), ("cat", "bread"), id="a phrase counts for more"),
    ],
)
def test_who_counts(text: str, vector: list[float], classifiers: tuple[str, ...]) -> None:
    labels = FAST.classify(text, vector)
    assert labels.classifiers == classifiers
    assert FAST.over({text: vector, "another": towards()}).classify(text) == labels


def test_many_key_words_weigh_no_more_than_two() -> None:
    taxonomy = Taxonomy(version="t", labels=(Label(name="a", description="a", keywords=("b", "c", "d", "e")),
                                             Label(name="z", description="z", keywords=("z",))))  # fmt: skip
    fast = FastClassifier(Rules(taxonomy), Prototypes([[[1.0, 0.0]], [[0.0, 1.0]]]))
    assert fast.classify("b c d e", [0.0, 0.61]).classifiers == ("z",)  # 0.61 beats 2 × 0.15 twice over
    assert fast.classify("b c d e", [0.0, 0.59]).classifiers == ("z", "a")


def test_the_topic_is_that_of_a_label_that_counts_or_else_of_the_key_words() -> None:
    assert FAST.classify("", towards(bread=0.3)).topic == "food"
    assert FAST.classify("", towards(boat=0.4, bread=0.1)).topic is None
    assert FAST.classify("a bread", towards(boat=0.9)) == (("boat",), "food")


def test_without_prototypes_it_is_the_rules() -> None:
    plain = FastClassifier(Rules(TAXONOMY), None)
    for text in ("a cat", "bread cat club", "nothing"):
        assert plain.classify(text, towards(boat=1)) == Rules(TAXONOMY).classify(text)
    assert Rules(TAXONOMY).over({"a": [1.0]}).classify("a cat") == Rules(TAXONOMY).classify("a cat")


def test_the_version_is_the_taxonomys() -> None:
    assert FAST.version == FAST.over({"a": towards()}).version == FAST.over({}).version == "t7"


def test_a_text_that_was_not_embedded_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="other"):
        FAST.over({"a": towards()}).classify("other")


@given(st.text(max_size=80), st.integers(0, 10**6))
def test_any_text_and_vector(text: str, seed: int) -> None:
    vector = np.random.default_rng(seed).normal(size=5)
    vector /= np.linalg.norm(vector)
    classifiers, topic = FAST.classify(text, vector.tolist())
    assert len(set(classifiers)) == len(classifiers) <= 3
    assert set(classifiers) <= set(NAMES)
    assert topic in (None, "food")
    assert FAST.classify(text, vector.tolist()) == (classifiers, topic)


def test_a_batch_costs_microseconds_a_text() -> None:
    taxonomy = default_taxonomy()
    rng = np.random.default_rng(1)
    fast = FastClassifier(
        Rules(taxonomy), Prototypes([rng.normal(size=(len(label.examples), 384)) for label in taxonomy.labels])
    )
    vectors = {f"text {number}": tuple(row) for number, row in enumerate(rng.normal(size=(500, 384)).tolist())}
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        known = fast.over(vectors)
        for text in vectors:
            known.classify(text)
        best = min(best, time.perf_counter() - start)
    assert best / len(vectors) < 1e-3  # about 60e-6 on an idle machine; embedding takes 3e-3
