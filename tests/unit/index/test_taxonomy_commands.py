"""`hm taxonomy`: exit codes, sentences and figures, with the light embedder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hybrid_memory.index.taxonomy_commands import app
from hybrid_memory.runtime.errors import Refusal

GOOD = """
version: mine
labels:
  - {name: cats, description: Cats., keywords: [cat], examples: [It purrs and says meow.]}
  - {name: boats, description: Boats., keywords: [boat], examples: [We sailed round the island.]}
"""
TEXTS = """text,domain
my cat purrs and says meow,animal
it says meow,animal
a boat sailed round the island,sea
we sailed round,sea
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `hm taxonomy` where good.yaml, texts.csv and what the test writes are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HM_EMBEDDER__KIND", "hash")
    monkeypatch.setenv("HM_DATA_DIR", str(tmp_path))
    Path("good.yaml").write_text(GOOD)
    Path("texts.csv").write_text(TEXTS)

    def invoke(*arguments: str, **files: str) -> Result:
        for name, content in files.items():
            Path(name).write_text(content)
        return CliRunner().invoke(app, arguments)

    return invoke


def of(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_good_one(run: Run) -> None:
    result = run("check", "good.yaml")
    assert (result.exit_code, result.stdout) == (
        0,
        "taxonomy mine: 2 labels and 2 examples; nothing is wrong with it\n",
    )
    assert of(run("check", "good.yaml", "--json")) == {
        "ok": True,
        "version": "mine",
        "labels": 2,
        "examples": 2,
        "faults": [],
        "left_out": None,
    }


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (("keywords: [boat]", "keywords: [boat, cat]"), "shared key word", "'cat' stands under 'cats' and 'boats'"),
        ((", examples: [We sailed round the island.]", ""), "no examples", "'boats' has no examples"),
        (("We sailed round the island.", "It purrs and says MEOW!"), "shared example", "stands under"),
        (("We sailed round the island.", "It purrs and says a meow."), "overlap", "mean nearly the same"),
        (("name: boats", "name: cats"), "repeat", "label 'cats' stands twice"),
        (("keywords: [boat]", "keywords: [boat, BOAT]"), "repeat", "label 'boats': key word 'BOAT' stands twice"),
        (("keywords: [boat]", "keywords: [boat], foo: bar"), "form", "label 'boats': foo: there is no such field"),
        ((GOOD, "- cats"), "form", "it must be a mapping with 'version' and 'labels'"),
    ],
)
def test_what_is_wrong_is_said(run: Run, change: tuple[str, str], kind: str, says: str) -> None:
    result = run("check", "bad.yaml", "--json", **{"bad.yaml": GOOD.replace(*change)})
    assert (result.exit_code, of(result)["ok"]) == (1, False)
    assert [fault["says"] for fault in of(result)["faults"] if fault["kind"] == kind and says in fault["says"]]
    shown = run("check", "bad.yaml")
    assert shown.exit_code == 1
    assert kind in shown.stdout


def test_what_cannot_be_read_was_not_checked(run: Run) -> None:
    for file in ("none.yaml", "."):
        result = run("check", file, "--json")
        assert isinstance(result.exception, Refusal)  # exit code 2
        assert f"taxonomy {file} cannot be read" in str(result.exception)
        assert result.stdout == ""


def test_what_is_not_yaml_was_not_checked(run: Run) -> None:
    result = run("check", "bad.yaml", **{"bad.yaml": GOOD.replace("mine", "[mine")})
    assert isinstance(result.exception, Refusal)  # exit code 2
    assert "taxonomy bad.yaml is not YAML" in str(result.exception)


def test_what_stands_twice_hides_nothing_else(run: Run) -> None:
    text = GOOD.replace("[boat]", "[boat, Boat, cat]").replace(", examples: [We sailed round the island.]", "")
    kinds = [fault["kind"] for fault in of(run("check", "bad.yaml", "--json", **{"bad.yaml": text}))["faults"]]
    assert kinds == ["repeat", "shared key word", "overlap", "no examples"]


def test_without_the_embedder_only_words_are_looked_at(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(settings: object) -> None:
        raise Refusal("there is no model")

    monkeypatch.setattr("hybrid_memory.index.taxonomy_check.make_embedder", away)
    result = run("check", "good.yaml")
    assert result.exit_code == 0
    assert "meaning was not looked at: there is no model" in result.stdout


def test_how_often_the_first_label_is_right(run: Run) -> None:
    result = run(
        "eval", "texts.csv", "--map", "map.yaml", "--taxonomy", "good.yaml", "--json",
        **{"map.yaml": "animal: [cats]\nsea: [boats]\n"},
    )  # fmt: skip
    assert result.exit_code == 0
    assert [(row["domain"], row["texts"], row["by_words"], row["by_both"]) for row in of(result)] == [
        ("animal", 2, 0.5, 1.0),
        ("sea", 2, 0.5, 1.0),
        ("all", 4, 0.5, 1.0),
    ]
    assert "50.0%" in run("eval", "texts.csv", "--map", "map.yaml", "--taxonomy", "good.yaml").stdout


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"texts.csv": "words,domain\na,b\n"}, "texts.csv has no column 'text'"),
        ({"texts.csv": "text,domain\n"}, "has no row"),
        ({"map.yaml": "animal: [cats]\n"}, "does not say which labels the domain 'sea' has"),
        ({"map.yaml": "animal: [cats]\nsea: [ships]\n"}, "no label 'ships'"),
        ({"map.yaml": "animal: cats\n"}, "must map each domain to a list"),
        ({"map.yaml": "animal: [cats\n"}, "map.yaml cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(run: Run, files: dict[str, str], says: str) -> None:
    files = {"map.yaml": "animal: [cats]\nsea: [boats]\n"} | files
    result = run("eval", "texts.csv", "--map", "map.yaml", "--taxonomy", "good.yaml", **files)
    assert isinstance(result.exception, Refusal)
    assert says in str(result.exception)


def test_without_a_map_a_domain_is_a_label(run: Run) -> None:
    result = run(
        "eval",
        "own.csv",
        "--taxonomy",
        "good.yaml",
        "--json",
        **{"own.csv": "text,domain\nmy cat purrs and says meow,cats\n"},
    )
    assert of(result)[-1] == {"domain": "all", "texts": 1, "by_words": 1.0, "by_both": 1.0}
