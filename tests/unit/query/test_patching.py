"""Patches: RFC 7396's own examples, and what becomes of classifiers and pins."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from hybrid_memory.index.points import Point
from hybrid_memory.query.editing import _is_doing_of
from hybrid_memory.query.etags import matches, unchanged
from hybrid_memory.query.patching import MemoryPatch, merged, patched
from hybrid_memory.schemas import Memory, Position
from tests.integration.index.build import live


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_the_merge_of_the_standard(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


def after(point: Point, **patch: Any) -> Memory:
    return patched(point, MemoryPatch.model_validate(patch))


def labels(memory: Memory) -> tuple[tuple[str, ...] | None, bool]:
    return memory.classifiers, memory.pinned


MADE = live(classifiers=("tea", "home"), metadata={"a": 1}).point
assert MADE.memory is not None
OWN = replace(MADE, memory=MADE.memory.model_copy(update={"classifiers": ("own",)}))
PINNED = replace(MADE, memory=MADE.memory.model_copy(update={"classifiers": ("own",), "pinned": True}))


@pytest.mark.parametrize(
    ("point", "patch", "wanted"),
    [
        (MADE, {"text": "x"}, (None, False)),
        (MADE, {"pinned": True}, (("tea", "home"), True)),
        (MADE, {"pinned": False}, (None, False)),
        (MADE, {"classifiers": ["a"]}, (("a",), False)),
        (MADE, {"classifiers": ["a"], "pinned": True}, (("a",), True)),
        (OWN, {"text": "x"}, (("own",), False)),
        (OWN, {"pinned": True}, (("own",), True)),
        (PINNED, {"text": "x"}, (("own",), True)),
        (PINNED, {"pinned": None}, (("own",), False)),
        (PINNED, {"classifiers": ["a"]}, (("a",), True)),
        (PINNED, {"classifiers": None}, (None, False)),
        (PINNED, {"classifiers": []}, (None, False)),
    ],
)
def test_classifiers_and_pins(point: Point, patch: dict[str, Any], wanted: Any) -> None:
    assert labels(after(point, **patch)) == wanted


@pytest.mark.parametrize("point", [MADE, OWN, PINNED])
def test_an_empty_patch_changes_nothing(point: Point) -> None:
    assert after(point) == point.memory


def test_a_pin_needs_something_to_pin() -> None:
    for point, patch in ((live().point, {"pinned": True}), (PINNED, {"classifiers": None, "pinned": True})):
        with pytest.raises(ValidationError, match="pinned needs classifiers"):
            after(point, **patch)


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        ('"5.0"', True, True),
        ('W/"5.0"', False, True),
        ("*", True, True),
        ('"4.0", "5.0"', True, True),
        ("5.0", False, False),
    ],
)
def test_versions_in_headers(header: str, strong: bool, weak: bool) -> None:
    assert (matches(header, '"5.0"'), unchanged(header, '"5.0"')) == (strong, weak)


@pytest.mark.parametrize(
    ("seq", "since", "condition", "won"),
    [
        (10, 10, 5, True),  # it stands
        (14, 10, 12, True),  # it stands, and was said again to answer a later one
        (13, 13, 10, True),  # another edit was built on it
        (12, 9, 10, False),  # another stands, and was said again to answer this one
        (11, 9, 9, False),  # another stands
        (10, 9, 5, False),  # another said the same before
    ],
)
def test_whose_doing_it_is(seq: int, since: int, condition: int, won: bool) -> None:
    shown = replace(MADE, seq=seq, since=since, condition=condition)
    assert _is_doing_of(shown, Position(topic_id="t", partition=0, offset=10)) == won
