"""Accuracy of the fast classifiers on utterances of known domains; the data is not part of the product.

HM_TEST_DOMAINS names a CSV file with the columns text and domain, such as CLINC150's intents by their domain.
"""

import os
from pathlib import Path

import pytest

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.taxonomy_measure import measure, read_map, read_texts
from hybrid_memory.runtime.settings import EmbedderSettings, Settings

FILE = os.environ.get("HM_TEST_DOMAINS")


@pytest.mark.model
@pytest.mark.skipif(FILE is None, reason="HM_TEST_DOMAINS names no file")
def test_examples_and_key_words_beat_key_words_alone_by_ten_points() -> None:
    taxonomy, texts = default_taxonomy(), read_texts(Path(FILE or ""))
    labels = read_map(Path(__file__).with_name("domains.yaml"), texts.values(), taxonomy)
    embedder = make_embedder(Settings(embedder=EmbedderSettings(dtype="float32")))
    whole = measure(taxonomy, texts, labels, embedder)[-1]
    assert whole.by_both >= whole.by_words + 0.10, whole
