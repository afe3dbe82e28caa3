"""Each limit admits the largest value and refuses the next, naming the field and the class of the error."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from hybrid_memory.schemas import DecodeError, Memory, Position, Record, decode_memory, memory_key
from hybrid_memory.schemas.codec import describe
from hybrid_memory.schemas.json_schema import MODELS


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels > 1 else {}


def metadata_of(size: int) -> dict[str, str]:
    return {"a": "x" * (size - len('{"a":""}'))}


LIMITS: list[tuple[str, Callable[[int], Any], int]] = [
    ("user_id", lambda n: "u" * n, 256),
    ("user_id", lambda n: "漢" * n, 256),
    ("memory_id", lambda n: "m" * n, 256),
    ("text", lambda n: "t" * n, 16_384),
    ("text", lambda n: f"  {'🍁' * n}\n", 16_384),
    ("topic", lambda n: "t" * n, 64),
    ("type", lambda n: "t" * n, 64),
    ("source", lambda n: "s" * n, 64),
    ("classifiers", lambda n: [f"label {i}" for i in range(n)], 16),
    ("classifiers", lambda n: ["c" * n], 64),
    ("metadata", metadata_of, 16 * 1024),
    ("metadata", nested, 64),
]


def values(**changes: Any) -> dict[str, Any]:
    return {"user_id": "maya", "memory_id": "tea", "text": "I like tea"} | changes


def as_record(fields: dict[str, Any]) -> Record:
    key = memory_key(fields["user_id"], fields["memory_id"]).encode()
    return Record("memories", 0, 0, 0, key, json.dumps(fields).encode())


@pytest.mark.parametrize(("field", "make", "limit"), LIMITS)
def test_the_largest_is_allowed_and_the_next_refused(field: str, make: Callable[[int], Any], limit: int) -> None:
    assert isinstance(decode_memory(as_record(values(**{field: make(limit)}))), Memory)
    with pytest.raises(DecodeError, match=f"^{field}") as caught:
        decode_memory(as_record(values(**{field: make(limit + 1)})))
    assert caught.value.error_class == "limit"
    with pytest.raises(ValidationError) as refused:
        Memory.new(**values(**{field: make(limit + 1)}))
    assert describe(refused.value).startswith(field)


WRONG: list[tuple[str, object]] = [
    *((field, "") for field in ("user_id", "memory_id", "text", "topic", "type", "source")),
    *(
        (field, f"a{char}b")
        for field in ("user_id", "memory_id", "topic", "type", "source")
        for char in "\0\n\x1f\x7f\x85"
    ),
    *((field, 7) for field in ("user_id", "memory_id", "text", "topic", "type", "classifiers", "metadata")),
    ("text", " \n\u2003 "),
    ("classifiers", [" "]),
    ("classifiers", ["a\tb"]),
    ("classifiers", {"a": 1}),
    ("pinned", "often"),
    ("pinned", True),
    ("metadata", {"a": float("nan")}),
    ("metadata", {"a": [{"b": float("inf")}]}),
    ("created_at", "2026-03-14T08:21:07"),
    ("created_at", "9999-12-31T23:59:59-01:00"),
    ("expires_at", "tomorrow"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Memory.model_validate(values(**{field: value}), strict=False)
    assert describe(refused.value).startswith(field)


@pytest.mark.parametrize(("field", "value"), [case for case in WRONG if case[0] not in ("user_id", "memory_id")])
def test_a_wrong_value_in_a_record_is_of_class_schema(field: str, value: object) -> None:
    with pytest.raises(DecodeError, match=f"^{field}") as caught:
        decode_memory(as_record(values(**{field: value})))
    assert caught.value.error_class == "schema"


def test_every_wrong_field_is_named_and_no_input_is_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        Memory.new(user_id="", text="", classifiers=["secret " * 20])
    said = describe(refused.value)
    assert all(field in said for field in ("user_id", "text", "classifiers.0"))
    assert "secret" not in said
    assert "memory_id" not in said


@pytest.mark.parametrize(("user_id", "text"), [("\ud800", "tea"), ("maya", "\ud800"), (7, "tea"), ("maya", None)])
def test_what_gives_no_id_is_refused_by_its_own_field(user_id: Any, text: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Memory.new(user_id=user_id, text=text)
    assert [error["loc"] for error in refused.value.errors()] == [("text",) if user_id == "maya" else ("user_id",)]


def test_classifiers_keep_their_order_and_lose_their_repeats() -> None:
    memory = Memory.new(user_id="maya", text="I like tea", classifiers=["Tea", " drink ", "tea", "DRINK", "habit"])
    assert memory.classifiers == ("Tea", "drink", "habit")


def test_text_is_trimmed() -> None:
    assert Memory.new(user_id="maya", text="\n I like tea \t").text == "I like tea"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_events_cannot_be_changed(name: str) -> None:
    assert MODELS[name].model_config["frozen"]


@pytest.mark.parametrize("text", ["", "a:b:c", "a:1", "a:1:2:3", "a:-1:2", "a:1:９", f"a:1:{2**53}", "a b:1:2"])
def test_a_position_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form topic_id:partition:offset"):
        Position.parse(text)
