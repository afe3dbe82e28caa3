"""The light parts of embedding: no model is loaded."""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid_memory.index.cache import LabelVectors
from hybrid_memory.index.embedder import Matrix
from hybrid_memory.index.embedders import make_embedder, number_type
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.sentence import batches
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import EmbedderSettings, Settings

AMX = {"amx_bf16": True, "avx2": True}
AVX2 = {"amx_bf16": False, "avx512_bf16": False, "avx2": True}


@pytest.mark.parametrize(
    ("asked", "cpu", "cuda", "given"),
    [
        ("auto", AVX2, None, "float32"),
        ("auto", AMX, None, "bfloat16"),
        ("auto", {"avx512_bf16": True}, None, "bfloat16"),
        ("auto", {}, None, "float32"),
        ("auto", AMX, False, "float32"),
        ("auto", AVX2, True, "bfloat16"),
        ("bfloat16", AVX2, None, "bfloat16"),
        ("float32", AMX, True, "float32"),
    ],
)
def test_the_number_type_follows_the_hardware_unless_told(
    asked: str, cpu: dict[str, bool], cuda: bool | None, given: str
) -> None:
    assert number_type(asked, cpu, cuda) == given


@given(st.lists(st.integers(1, 256)), st.integers(1, 64), st.integers(1, 1024))
def test_batches_hold_each_text_once_and_keep_their_bounds(lengths: list[int], most: int, tokens: int) -> None:
    found = list(batches(lengths, most, tokens))
    assert sorted(at for batch in found for at in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(lengths[at] for at in batch)
        assert lengths[batch[-1]] == longest
        assert len(batch) <= most
        assert len(batch) == 1 or len(batch) * longest <= tokens


@given(st.lists(st.text(), max_size=5))
@example(["", " ", "\ud800", "!!!", "\0"])
def test_hashed_vectors_are_unit_and_depend_on_the_text_alone(texts: list[str]) -> None:
    embedder = HashEmbedder(32)
    matrix = embedder.embed(texts)
    assert matrix.shape == (len(texts), 32)
    assert np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)
    assert all(np.array_equal(row, embedder.embed([text])[0]) for row, text in zip(matrix, texts, strict=True))


def test_hashed_vectors_are_the_same_in_every_process() -> None:
    code = "from hybrid_memory.index.hashing import HashEmbedder; print(HashEmbedder(8).embed(['green tea']).tolist())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert other.stdout.strip() == str(HashEmbedder(8).embed(["green tea"]).tolist())


def test_hashed_texts_that_share_words_are_near() -> None:
    tea, teas, car = HashEmbedder().embed(["I like green tea", "green teas are what I like", "the car broke down"])
    assert tea @ teas > tea @ car + 0.3


class Counting(HashEmbedder):
    def __init__(self) -> None:
        super().__init__(16)
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.calls.append(list(texts))
        return super().embed(texts)


def test_a_label_is_embedded_once_and_the_unknown_ones_together() -> None:
    embedder = Counting()
    cache = LabelVectors(embedder)
    first = cache.vectors(["tea", "work", "tea"])
    second = cache.vectors(iter(["work", "home", "tea"]))
    assert cache.vectors([]) == {}
    assert embedder.calls == [["tea", "work"], ["home"]]
    assert second["tea"] == first["tea"]
    assert second["home"] == tuple(HashEmbedder(16).embed(["home"])[0].tolist())


def test_the_label_used_longest_ago_is_forgotten_first() -> None:
    embedder = Counting()
    cache = LabelVectors(embedder, capacity=2)
    cache.vectors(["a", "b"])
    cache.vectors(["a"])
    cache.vectors(["c"])
    cache.vectors(["a", "c"])
    assert embedder.calls == [["a", "b"], ["c"]]
    assert set(cache.vectors(["a", "b", "c"])) == {"a", "b", "c"}, "more at once than it keeps"


def test_the_settings_choose_the_light_embedder() -> None:
    assert make_embedder(Settings(embedder=EmbedderSettings(kind="hash"))).name == "hash-v1-384"


def test_a_missing_package_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Refusal, match=r"needs the package torch; install it with: pip install '\.\[consumers\]' in"):
        make_embedder(Settings())
