"""The shipped taxonomy under the real embedding model."""

from pathlib import Path

import pytest

from hybrid_memory.classifier import default_rules, default_taxonomy
from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import fast_classifier
from hybrid_memory.index.taxonomy_check import check
from hybrid_memory.runtime.settings import EmbedderSettings, Settings
from tests.unit.classifier.test_rules import TABLE

pytestmark = pytest.mark.model

WITHOUT_KEY_WORDS = {
    "Nothing beats an omakase evening with a friend of raw tuna": "food preference",
    "My throat closes up when there are shrimps around": "allergy",
    "She can bench her own bodyweight": "fitness",
    "I owe the tax office eight hundred": "personal finance",
    "The old tomcat sits on my lap and purrs": "pets",
    "User codes in Haskell for fun": "technology",
    "Her flat has a tiny balcony facing south": "home",
    "How do I say cheers when I raise a glass in Prague?": "language skill",
}
NOTHING = ("xyzzy", "ok thanks", "hello there", "the of and", "I see", "Tell me more", "1234567", "")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return make_embedder(Settings(embedder=EmbedderSettings(dtype="float32")))


@pytest.fixture(scope="module")
def fast(embedder: Embedder) -> FastClassifier:
    return fast_classifier(default_taxonomy(), embedder)


def labels(fast: FastClassifier, embedder: Embedder, text: str) -> tuple[tuple[str, ...], str | None]:
    return fast.classify(text, embedder.embed([text])[0].tolist())


def test_nothing_is_wrong_with_the_shipped_taxonomy(tmp_path: Path) -> None:
    verdict = check(None, Settings(data_dir=tmp_path))
    assert (verdict.faults, verdict.left_out) == ([], None)


def test_believable_texts(fast: FastClassifier, embedder: Embedder) -> None:
    for text, strongest, topic in TABLE:
        found, its_topic = labels(fast, embedder, text)
        assert strongest in found, text
        assert its_topic == topic, text


@pytest.mark.parametrize("text", WITHOUT_KEY_WORDS)
def test_meaning_finds_what_key_words_do_not(fast: FastClassifier, embedder: Embedder, text: str) -> None:
    assert WITHOUT_KEY_WORDS[text] in labels(fast, embedder, text)[0]


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_is_made_up(fast: FastClassifier, embedder: Embedder, text: str) -> None:
    assert default_rules().classify(text) == ((), None)
    assert labels(fast, embedder, text) == ((), None)
