"""The examples' vectors are made once and kept; a taxonomy that cannot be used is a refusal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hybrid_memory.classifier import Label, Taxonomy, default_rules, default_taxonomy
from hybrid_memory.index.embedder import Matrix
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.labelling import example_vectors, fast_classifier, open_fast_classifier, open_rules
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import load_settings

TAXONOMY = Taxonomy(
    version="t",
    labels=(
        Label(name="cats", description="cats", keywords=("cat",), examples=("It purrs.", "It says meow.")),
        Label(name="bare", description="bare", keywords=("bare",)),
        Label(name="boats", description="boats", keywords=("boat",), examples=("It floats.",)),
    ),
)


class Counting(HashEmbedder):
    """Remembers what it was asked for."""

    def __init__(self, dimensions: int = 384) -> None:
        super().__init__(dimensions)
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked.append(list(texts))
        return super().embed(texts)


def test_each_label_gets_its_own_in_one_call() -> None:
    embedder = Counting()
    cats, bare, boats = example_vectors(TAXONOMY, embedder)
    assert embedder.asked == [["It purrs.", "It says meow.", "It floats."]]
    assert (len(cats), len(bare), len(boats)) == (2, 0, 1)
    np.testing.assert_array_equal(boats, HashEmbedder().embed(["It floats."]))


def test_they_are_kept_for_the_next_start(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    made = example_vectors(TAXONOMY, first, tmp_path / "new")
    again = example_vectors(TAXONOMY, second, tmp_path / "new")
    assert (len(first.asked), second.asked) == (1, [])
    assert all(np.array_equal(one, other) for one, other in zip(made, again, strict=True))
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".npy"]


def test_another_embedder_or_other_examples_have_vectors_of_their_own(tmp_path: Path) -> None:
    example_vectors(TAXONOMY, HashEmbedder(), tmp_path)
    other = Counting(64)
    assert example_vectors(TAXONOMY, other, tmp_path)[0].shape == (2, 64)
    cats = TAXONOMY.labels[0].model_copy(update={"examples": ("It purrs.", "It scratches.")})
    edited = Counting()
    example_vectors(TAXONOMY.model_copy(update={"labels": (cats,)}), edited, tmp_path)
    assert len(other.asked) == len(edited.asked) == 1


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_file_that_was_cut_off_is_made_anew(tmp_path: Path, content: bytes) -> None:
    example_vectors(TAXONOMY, HashEmbedder(), tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(content)
    embedder = Counting()
    assert len(example_vectors(TAXONOMY, embedder, tmp_path)[0]) == 2
    assert len(embedder.asked) == 1
    assert np.load(path).shape == (3, 384)


def test_where_nothing_can_be_kept_it_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert len(example_vectors(TAXONOMY, HashEmbedder(), tmp_path / "file")[0]) == 2


def test_a_taxonomy_without_examples_is_its_key_words() -> None:
    bare = TAXONOMY.model_copy(update={"labels": (TAXONOMY.labels[1],)})
    assert fast_classifier(bare, HashEmbedder()).classify("a bare hill", [0.0] * 384).classifiers == ("bare",)


def test_the_shipped_taxonomy_unless_the_settings_name_another(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert open_fast_classifier(settings, HashEmbedder()).version == default_taxonomy().version
    assert open_rules(settings).classify("a cat") == default_rules().classify("a cat")
    assert (tmp_path / "prototypes").is_dir()
    file = tmp_path / "mine.yaml"
    file.write_text("version: mine\nlabels: [{name: cats, description: Cats., keywords: [cat], examples: [It purrs.]}]")
    mine = load_settings(data_dir=tmp_path, classifier={"taxonomy": file})
    assert open_fast_classifier(mine, HashEmbedder()).version == open_rules(mine).version == "mine"


def test_a_taxonomy_that_cannot_be_used_is_a_refusal(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, classifier={"taxonomy": tmp_path / "none.yaml"})
    with pytest.raises(Refusal, match=r"none\.yaml cannot be read"):
        open_fast_classifier(settings, HashEmbedder())
    with pytest.raises(Refusal, match=r"none\.yaml cannot be read"):
        open_rules(settings)
