"""What counts as a memory, however it comes in."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.client import FieldError, InvalidMemory
from hybrid_memory.client.drafts import Draft, as_deletion, as_memory
from hybrid_memory.schemas import Memory, derive_memory_id

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from([*Draft.model_fields, "other"]), ANY_JSON, max_size=12)


def named(fields: object) -> list[str]:
    with pytest.raises(InvalidMemory) as caught:
        as_memory(fields)  # type: ignore[arg-type]  # on purpose
    return [error.field for error in caught.value.errors]


def test_the_least_memory() -> None:
    memory = as_memory({"user_id": "alice", "text": "  I love Thai food "})
    assert memory.memory_id == derive_memory_id("alice", "I love Thai food")
    assert (memory.text, memory.type, memory.source, memory.pinned) == ("I love Thai food", "stable", "app", False)
    assert memory.classifiers is None


def test_every_field_arrives() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    fields: dict[str, Any] = {
        "user_id": "alice",
        "text": "I love Thai food",
        "memory_id": "m1",
        "topic": "food",
        "type": "volatile",
        "classifiers": ["food preference", "Food Preference", "cuisine"],
        "pinned": True,
        "metadata": {"a": [1, {"b": None}]},
        "created_at": "2026-01-31T12:00:00Z",
        "expires_at": moment,
        "source": "mail",
    }
    assert as_memory(fields) == Memory(
        **{**fields, "created_at": moment, "classifiers": ("food preference", "cuisine")}
    )


def test_null_counts_as_not_given() -> None:
    optional = {name: None for name, field in Draft.model_fields.items() if not field.is_required()}
    memory = as_memory({"user_id": "alice", "text": "hello", **optional})
    plain = as_memory({"user_id": "alice", "text": "hello"})
    assert memory.model_dump(exclude={"created_at"}) == plain.model_dump(exclude={"created_at"})


def test_no_classifiers_is_the_same_as_none_given() -> None:
    assert as_memory({"user_id": "alice", "text": "hello", "classifiers": []}).classifiers is None


def test_a_memory_is_left_as_it_is() -> None:
    memory = Memory.new(user_id="alice", text="hello")
    assert as_memory(memory) is memory


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ["user_id", "text"]),
        ({"user_id": "", "text": "x"}, ["user_id"]),
        ({"user_id": "a\nb", "text": "x"}, ["user_id"]),
        ({"user_id": "u" * 257, "text": "x"}, ["user_id"]),
        ({"user_id": "u", "text": "   "}, ["text"]),
        ({"user_id": "u", "text": "x" * 16_385}, ["text"]),
        ({"user_id": "u", "text": "\ud800"}, ["text"]),
        ({"user_id": 1, "text": 2}, ["user_id", "text"]),
        ({"user_id": "u", "text": "x", "clasifiers": ["a"]}, ["clasifiers"]),
        ({"user_id": "u", "text": "x", "classifiers": "food"}, ["classifiers"]),
        ({"user_id": "u", "text": "x", "classifiers": ["a", 2]}, ["classifiers.1"]),
        ({"user_id": "u", "text": "x", "classifiers": [str(i) for i in range(17)]}, ["classifiers"]),
        ({"user_id": "u", "text": "x", "pinned": "yes"}, ["pinned"]),
        ({"user_id": "u", "text": "x", "pinned": 1}, ["pinned"]),
        ({"user_id": "u", "text": "x", "pinned": True}, ["pinned"]),
        ({"user_id": "u", "text": "x", "pinned": True, "classifiers": []}, ["pinned"]),
        ({"user_id": "u", "text": "x", "created_at": 1700000000}, ["created_at"]),
        ({"user_id": "u", "text": "x", "created_at": "1700000000"}, ["created_at"]),
        ({"user_id": "u", "text": "x", "created_at": "2026-01-31T12:00:00"}, ["created_at"]),
        ({"user_id": "u", "text": "x", "created_at": datetime(2026, 1, 31)}, ["created_at"]),
        ({"user_id": "u", "text": "x", "metadata": {"a": "x" * 17_000}}, ["metadata"]),
        ({"user_id": "u", "text": "x", "metadata": {"a": float("nan")}}, ["metadata.a.float"]),
        ([1], [""]),
        (None, [""]),
        ("text", [""]),
    ],
)
def test_each_wrong_field_is_named(fields: object, wrong: list[str]) -> None:
    assert named(fields) == wrong


def test_the_error_reads_well_and_knows_its_place() -> None:
    with pytest.raises(InvalidMemory, match=r"^memory 3: text: String should have at least 1 character$") as caught:
        as_memory({"user_id": "u", "text": ""}, 3)
    assert caught.value.index == 3
    assert caught.value.errors == (FieldError("text", "String should have at least 1 character"),)
    assert isinstance(caught.value, ValueError)


def test_what_was_given_is_never_repeated() -> None:
    with pytest.raises(InvalidMemory) as caught:
        as_memory({"user_id": "u", "text": "s3cret" * 9999, "created_at": "s3cret", "pinned": "s3cret"})
    assert "s3cret" not in str(caught.value)


@given(FIELDS)
def test_anything_is_a_memory_or_invalid(fields: dict[str, Any]) -> None:
    try:
        memory = as_memory(fields)
    except InvalidMemory:
        return
    assert Memory.model_validate_json(memory.model_dump_json(), strict=True) == memory


@given(FIELDS)
def test_python_and_json_agree(fields: dict[str, Any]) -> None:
    try:
        from_python = Draft.checked(json.loads(json.dumps(fields)))
    except InvalidMemory:
        with pytest.raises(ValueError):
            Draft.model_validate_json(json.dumps(fields))
    else:
        assert Draft.model_validate_json(json.dumps(fields)) == from_python


def test_a_deletion_is_checked_too() -> None:
    assert as_deletion("u", "m").key == "u/m"
    with pytest.raises(InvalidMemory, match="memory_id"):
        as_deletion("u", "")
