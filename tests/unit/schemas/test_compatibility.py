"""No release is ever broken; and each kind of break is seen to be refused."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from hybrid_memory.schemas.compatibility import breaking_changes, releases
from hybrid_memory.schemas.json_schema import MODELS, json_schema

Schema = dict[str, Any]
RELEASED = [(release, name, schema) for release, schemas in releases().items() for name, schema in schemas.items()]


@pytest.mark.parametrize(("release", "message", "old"), RELEASED, ids=[f"{case[0]}:{case[1]}" for case in RELEASED])
def test_the_schemas_of_today_read_what_was_ever_released(release: str, message: str, old: Schema) -> None:
    assert message in MODELS, f"{message} of release {release} is gone"
    assert breaking_changes(old, json_schema(message)) == []


def test_every_message_was_released_once() -> None:
    assert {name for _, name, _ in RELEASED} == set(MODELS)


OLD: Schema = {
    "type": "object",
    "required": ["id", "text"],
    "properties": {
        "id": {"type": "string", "maxLength": 256, "pattern": "^[a-z]+$"},
        "text": {"type": "string", "minLength": 1},
        "kind": {"enum": ["a", "b"], "type": "string", "default": "a"},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "share": {"type": "number"},
        "note": {"anyOf": [{"type": "string", "maxLength": 64}, {"type": "null"}], "default": None},
        "labels": {"type": "array", "maxItems": 16, "items": {"type": "string", "maxLength": 64}},
        "at": {"type": "string", "format": "date-time"},
        "free": {"type": "object", "additionalProperties": True},
        "origin": {"$ref": "#/$defs/Origin"},
    },
    "$defs": {"Origin": {"type": "object", "properties": {"offset": {"type": "integer"}}, "required": ["offset"]}},
}


def changed(change: Callable[[Schema, Schema], object]) -> Schema:
    new = copy.deepcopy(OLD)
    change(new, new["properties"])
    return new


BREAKS: list[tuple[str, Callable[[Schema, Schema], object], str]] = [
    ("required", lambda s, p: s["required"].append("at"), "at: is required now"),
    ("required new", lambda s, p: (p.update(x={}), s["required"].append("x")), "x: is required now"),
    ("removed", lambda s, p: p.pop("count"), "count: is gone"),
    ("retyped", lambda s, p: p["count"].update(type="string"), "count: type was integer and is string"),
    ("integers only", lambda s, p: p["share"].update(type="integer"), "share: type was number and is integer"),
    ("typed", lambda s, p: p["kind"].update(type="null"), "kind: type was string and is null"),
    (
        "not nullable",
        lambda s, p: p.update(note={"type": "string", "default": None}),
        "note: type was null and is string",
    ),
    ("enum", lambda s, p: p["kind"].update(enum=["a", "c"]), 'kind: no longer allows \\["b"\\]'),
    ("const", lambda s, p: (p["kind"].pop("enum"), p["kind"].update(const="a")), 'kind: no longer allows \\["b"\\]'),
    ("enum at all", lambda s, p: p["text"].update(enum=["a"]), 'text: only \\["a"\\]'),
    ("maxLength", lambda s, p: p["id"].update(maxLength=255), "id: maxLength was 256 and is 255"),
    ("maxLength at all", lambda s, p: p["text"].update(maxLength=9), "text: maxLength was absent and is 9"),
    ("minLength", lambda s, p: p["text"].update(minLength=2), "text: minLength was 1 and is 2"),
    ("minimum", lambda s, p: p["count"].update(minimum=1), "count: minimum was 0 and is 1"),
    ("maximum", lambda s, p: p["count"].update(exclusiveMaximum=9), "count: exclusiveMaximum was absent"),
    ("maxItems", lambda s, p: p["labels"].update(maxItems=15), "labels: maxItems was 16 and is 15"),
    ("items", lambda s, p: p["labels"]["items"].update(maxLength=9), r"labels\[\]: maxLength was 64 and is 9"),
    ("within anyOf", lambda s, p: p["note"]["anyOf"][0].update(maxLength=9), "note: maxLength was 64 and is 9"),
    ("pattern", lambda s, p: p["id"].update(pattern="^[a-y]+$"), "id: pattern was"),
    ("pattern at all", lambda s, p: p["text"].update(pattern="^a"), "text: pattern was absent"),
    ("format", lambda s, p: p["at"].update(format="date"), "at: format was date-time and is date"),
    ("default", lambda s, p: p["kind"].update(default="b"), 'kind: its default was "a" and is "b"'),
    ("no default", lambda s, p: p["kind"].pop("default"), 'kind: its default was "a" and is none'),
    ("closed", lambda s, p: s.update(additionalProperties=False), r"\*: only \[\] is allowed"),
    ("map values", lambda s, p: p["free"].update(additionalProperties={"type": "null"}), r"free\.\*: type was any"),
    ("behind $ref", lambda s, p: s["$defs"]["Origin"]["properties"].pop("offset"), r"origin\.offset: is gone"),
    ("not judged", lambda s, p: p["labels"].update(uniqueItems=True), "labels: uniqueItems may have changed"),
]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in BREAKS], ids=[case[0] for case in BREAKS])
def test_a_breaking_change_is_refused(change: Callable[[Schema, Schema], object], says: str) -> None:
    (found,) = breaking_changes(OLD, changed(change))
    assert re.match(says, found), found


ALLOWED: list[tuple[str, Callable[[Schema, Schema], object]]] = [
    ("nothing", lambda s, p: None),
    ("optional field", lambda s, p: p.update(language={"type": "string", "maxLength": 8})),
    ("words", lambda s, p: (s.update(title="New", description="New"), p["id"].update(description="New"))),
    ("optional now", lambda s, p: s.update(required=["id"])),
    ("wider text", lambda s, p: p["id"].update(maxLength=300)),
    ("no pattern", lambda s, p: p["id"].pop("pattern")),
    ("more values", lambda s, p: p["kind"].update(enum=["a", "b", "c"])),
    ("any number", lambda s, p: p["count"].update(type="number")),
    ("nullable", lambda s, p: p.update(text={"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]})),
    ("nullable by types", lambda s, p: p["text"].update(type=["string", "null"])),
    ("anything", lambda s, p: p.update(count=True)),
    ("inlined", lambda s, p: p.update(origin=s["$defs"].pop("Origin"))),
]


@pytest.mark.parametrize("change", [case[1] for case in ALLOWED], ids=[case[0] for case in ALLOWED])
def test_a_change_that_reads_all_old_data_is_allowed(change: Callable[[Schema, Schema], object]) -> None:
    assert breaking_changes(OLD, changed(change)) == []


@pytest.mark.parametrize(("release", "message", "old"), RELEASED, ids=[f"{case[0]}:{case[1]}" for case in RELEASED])
def test_a_break_of_a_real_schema_is_refused(release: str, message: str, old: Schema) -> None:
    new = json_schema(message)
    name = sorted(new["properties"])[0]
    del new["properties"][name]
    new["required"] = [field for field in new["required"] if field != name]
    assert breaking_changes(old, new) == [f"{name}: is gone, and with it what it said"]
