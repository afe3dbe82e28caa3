"""A prompt file: read whole, or refused with the file and the fault; and the conversation that it makes."""

from pathlib import Path

import pytest

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.classifier.qwen.prompt import PromptError, conversation, default_prompt, load_prompt
from hybrid_memory.classifier.taxonomy import Taxonomy

GOOD = """
version: mine
open:
  system: Label it.
  examples:
    - {text: I have a dog, labels: [pets, dogs]}
    - {text: ok, labels: []}
taxonomy:
  system: "Of these:\\n{labels}"
  examples:
    - {text: I have a dog, labels: [pets, dogs]}
    - {text: I drive, labels: [vehicle]}
    - {text: ok, labels: []}
"""
PETS = Taxonomy.model_validate(
    {"version": "t", "labels": [{"name": "pets", "description": "Animals.", "keywords": ["dog"]}]}
)
BAD = {
    "no version": (GOOD.replace("version: mine", ""), "version: it is missing"),
    "no mode": (GOOD.replace("\nopen:", "\nopened:"), "open: it is missing.*opened: there is no such field"),
    "no system": (GOOD.replace("system: Label it.", "system: ' '"), "open: system: .*at least 1"),
    "no place for labels": (GOOD.replace("{labels}", ""), r"taxonomy: system: \{labels\} must stand in it once"),
    "a sentence": (GOOD.replace("[pets, dogs]", "['It is a dog.']"), "open: examples: 0: labels 'It is a dog.': at"),
    "capitals": (GOOD.replace("[pets, dogs]", "[Pets]"), "labels 'Pets': at most three different short noun phrases"),
    "four labels": (GOOD.replace("[pets, dogs]", "[a, b, c, d]"), "labels 'a, b, c, d': at most three"),
    "none as a label": (GOOD.replace("[pets, dogs]", "[none]"), "labels 'none': at most three"),
    "not YAML": ("open: [", "is not YAML"),
    "a list": ("- open", "must be a mapping with 'version', 'open' and 'taxonomy'"),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused(tmp_path: Path, fault: str) -> None:
    text, message = BAD[fault]
    with pytest.raises(PromptError, match=message) as error:
        load_prompt(write(tmp_path, text))
    assert "mine.yaml" in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"none\.yaml cannot be read: No such file"):
        load_prompt(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PromptError, match="not UTF-8"):
        load_prompt(tmp_path / "bytes.yaml")


def test_open_mode(tmp_path: Path) -> None:
    prompt = load_prompt(write(tmp_path, GOOD))
    turns = conversation(prompt, "What I say")
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("system", "Label it."),
        ("user", "I have a dog"),
        ("assistant", "pets, dogs"),
        ("user", "ok"),
        ("assistant", "none"),
        ("user", "What I say"),
    ]


def test_taxonomy_mode_shows_only_its_labels(tmp_path: Path) -> None:
    prompt = load_prompt(write(tmp_path, GOOD))
    turns = conversation(prompt, "What I say", PETS)
    assert [turn["content"] for turn in turns] == [
        "Of these:\npets: Animals.",
        "I have a dog",
        "pets",
        "ok",
        "none",
        "What I say",
    ]


def test_the_shipped_prompt() -> None:
    prompt = default_prompt()
    assert 5 <= len(prompt.open.examples) <= 8
    names = {label.name for label in default_taxonomy().labels}
    assert {label for example in prompt.taxonomy.examples for label in example.labels} <= names
    # About 160 tokens with the marks of six turns: every text attends to all of them.
    words = sum(len(turn["content"].split()) for turn in conversation(prompt, ""))
    assert words < 80
