"""The real embedding models. Loading them takes seconds."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import EmbedderSettings, Settings

pytestmark = pytest.mark.model

TEXTS = [
    "My sister Anna moved to Lisbon last year.",
    "tea",
    "Anna, my sister, has lived in Lisbon since last year.",
    "The invoice for the car repair is due on Friday.",
    "naïve café 東京 \N{CAT FACE}",
    "word " * 400,
    "",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return make_embedder(Settings(embedder=EmbedderSettings(dtype="float32", batch_size=3)))


def test_a_paraphrase_is_nearer_than_another_matter(embedder: Embedder) -> None:
    anna, _, again, car, *_ = embedder.embed(TEXTS)
    assert anna @ again > 0.8 > 0.2 > anna @ car


def test_vectors_are_unit_and_do_not_depend_on_the_batch(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.abs(together - alone).max() < 1e-5
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_threads_get_the_vectors_that_they_asked_for(embedder: Embedder) -> None:
    wanted = embedder.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for at, vector in pool.map(lambda at: (at, embedder.embed([TEXTS[at]])[0]), list(range(len(TEXTS))) * 4):
            assert np.abs(vector - wanted[at]).max() < 1e-5


def test_the_name_tells_the_weights_and_the_limit(embedder: Embedder) -> None:
    model, digest, limit = embedder.name.split(":")
    assert (model, len(digest), limit) == ("all-MiniLM-L6-v2", 12, "256")
    assert embedder.dimensions == 384


def test_a_half_precision_model_stays_near(embedder: Embedder) -> None:
    half = make_embedder(Settings(embedder=EmbedderSettings(dtype="bfloat16")))
    assert half.name == embedder.name
    assert (half.embed(TEXTS[:3]) * embedder.embed(TEXTS[:3])).sum(axis=1).min() > 0.999


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"embedding model '.*' cannot be loaded \(.+\); set HM_EMBEDDER__MODEL"):
        make_embedder(Settings(embedder=EmbedderSettings(model=str(tmp_path))))
