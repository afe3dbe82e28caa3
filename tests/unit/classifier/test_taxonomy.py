"""A taxonomy file: read whole, or refused with the file, the label and the fault."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hybrid_memory.classifier import TaxonomyError, default_taxonomy, load_taxonomy

GOOD = """
version: mine
labels:
  - {name: pets, description: Animals., keywords: [dog, guinea pig]}
  - {name: food, description: Meals., keywords: [eat], topic: food}
"""

BAD = {
    "duplicate label": (GOOD.replace("name: food", "name: pets"), "label 'pets' stands twice"),
    "no key words": (GOOD.replace("[eat]", "[]"), "label 'food': keywords: it needs at least 1"),
    "missing key words": (GOOD.replace("keywords: [eat], ", ""), "label 'food': keywords: it is missing"),
    "unknown field": (GOOD.replace("topic: food", "colour: red"), "label 'food': colour: there is no such field"),
    "unknown top field": (GOOD + "author: x\n", "author: there is no such field"),
    "name missing": (GOOD.replace("name: food, ", ""), "label number 2: name: it is missing"),
    "name with capitals": (GOOD.replace("name: food", "name: Food"), "label 'Food': name: it must be of small letters"),
    "name too long": (GOOD.replace("name: food", f"name: {'x' * 65}"), "name: .*at most 64"),
    "key word repeated": (GOOD.replace("[eat]", "[eat, EAT]"), "label 'food': key word 'EAT' stands twice"),
    "key word without a word": (GOOD.replace("[eat]", "['?!']"), r"label 'food': keywords: 0: key word '\?!' has no"),
    "key word not text": (GOOD.replace("[eat]", "[no]"), "label 'food': keywords: 0: it must be text"),
    "label not a mapping": ("version: v\nlabels: [pets]", "label number 1: it must be a mapping"),
    "no labels": ("version: v\nlabels: []", "labels: it needs at least 1"),
    "labels not a list": ("version: v\nlabels: pets", "labels: it must be a list"),
    "version not text": (GOOD.replace("mine", "1"), "version: it must be text"),
    "version missing": (GOOD.replace("version: mine", ""), "version: it is missing"),
    "not YAML": ("labels: [", "is not YAML"),
    "empty": ("", "must be a mapping with 'version' and 'labels'"),
    "a list": ("- pets", "must be a mapping"),
}


def test_a_good_file(tmp_path: Path) -> None:
    taxonomy = load_taxonomy(_write(tmp_path, GOOD))
    assert taxonomy.version == "mine"
    assert [(label.name, label.keywords, label.topic) for label in taxonomy.labels] == [
        ("pets", ("dog", "guinea pig"), None),
        ("food", ("eat",), "food"),
    ]


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused(tmp_path: Path, fault: str) -> None:
    text, message = BAD[fault]
    with pytest.raises(TaxonomyError, match=message) as error:
        load_taxonomy(_write(tmp_path, text))
    assert "mine.yaml" in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"none\.yaml cannot be read: No such file"):
        load_taxonomy(tmp_path / "none.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(TaxonomyError, match="is not UTF-8"):
        load_taxonomy(tmp_path / "mine.yaml")


def test_every_fault_is_named(tmp_path: Path) -> None:
    text = GOOD.replace("[eat]", "[]").replace("[dog, guinea pig]", "[]")
    with pytest.raises(TaxonomyError, match=r"label 'pets'.*; label 'food'"):
        load_taxonomy(_write(tmp_path, text))


def test_a_list_of_wrong_items_is_not_called_empty(tmp_path: Path) -> None:
    text = "version: v\nlabels: [{name: pets, description: Animals., keywords: [7], foo: bar}]"
    with pytest.raises(TaxonomyError) as error:
        load_taxonomy(_write(tmp_path, text))
    assert error.value.faults == (
        "label 'pets': keywords: 0: it must be text",
        "label 'pets': foo: there is no such field",
    )


def test_the_shipped_taxonomy_is_read_once_and_frozen() -> None:
    taxonomy = default_taxonomy()
    assert taxonomy is default_taxonomy()
    assert taxonomy.version == "v2"
    with pytest.raises(ValidationError, match="frozen"):
        taxonomy.version = "v2"  # type: ignore[misc]  # refused at run time too


def test_the_shipped_taxonomy_has_the_labels_of_the_seed() -> None:
    topics = {label.name: label.topic for label in default_taxonomy().labels}
    assert topics["food preference"] == topics["cuisine type"] == "food"
    assert topics["movie preference"] == "movies"
    assert topics["music preference"] == "music"


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path
