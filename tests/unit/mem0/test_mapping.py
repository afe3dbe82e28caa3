"""From Mem0's words to ours: whose, what, until when; and what is never taken in."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.mapping import (
    Rule,
    Unmappable,
    differing,
    fingerprint,
    is_gone,
    origin_of,
    to_memory,
    user_of,
)
from hybrid_memory.mem0.states import OURS, Mem0Memory, from_platform, from_store
from hybrid_memory.runtime.settings import Mem0Settings
from hybrid_memory.schemas import Record, decode_memory, encode_memory
from hybrid_memory.schemas.mem0 import Mem0Scope

RULE = Rule("proj_1")
NOW = datetime(2026, 8, 1, tzinfo=UTC)
NAMES = st.text(
    st.characters(categories=["L", "N"], include_characters=":%/ @"), min_size=1, max_size=20
) | st.sampled_from(["user:x", "agent:x", "x", "user:user:x", "app:", "run:1"])
SCOPES = st.builds(
    Mem0Scope,
    user_id=st.none() | NAMES,
    agent_id=st.none() | NAMES,
    app_id=st.none() | NAMES,
    run_id=st.none() | NAMES,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLATFORM = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "memory": st.text(st.characters(codec="utf-8"), min_size=1, max_size=50).filter(lambda text: text.strip()),
        "user_id": NAMES,
    },
    optional={
        "agent_id": st.none() | NAMES,
        "session_id": st.none() | NAMES,
        "metadata": st.none() | st.dictionaries(st.text(max_size=8) | st.just("mem0"), JSON, max_size=4),
        "categories": st.none() | st.lists(st.text(max_size=70), max_size=20),
        "created_at": st.none() | st.just("2026-05-03T09:12:44-07:00") | st.text(max_size=8),
        "expiration_date": st.none() | st.dates(date(2020, 1, 1)).map(str) | st.text(max_size=8),
        "replaced_by": st.none() | st.uuids().map(str),
        "lifecycle_state": st.none() | st.sampled_from(["active", "superseded", "merged"]),
    },
)


def of(**raw: Any) -> Mem0Memory:
    return from_platform({"id": "a-1", "memory": "Lives in Lisbon", "user_id": "maya", **raw})


@given(PLATFORM, st.sampled_from(["ignore", "hint", "provided"]))
def test_the_same_memory_is_always_the_same_here(raw: dict[str, Any], categories: Any) -> None:
    rule = Rule("proj_1", categories=categories)
    first = to_memory(from_platform(raw), rule)
    again = to_memory(from_platform(json.loads(json.dumps(raw))), rule)
    assert first == again
    record = encode_memory(first)
    read = decode_memory(Record("memories", 0, 0, 0, record.key, record.value))
    assert read == first
    assert fingerprint(first, rule) == fingerprint(again, rule)
    assert differing(fingerprint(first, rule), fingerprint(again, rule)) == ()
    assert (first.source, origin_of(first), first.memory_id) == ("mem0", "proj_1", raw["id"])
    for key, value in (raw.get("metadata") or {}).items():
        if key == "mem0":
            assert first.metadata["mem0"]["metadata"] == {"mem0": value}  # type: ignore[index,call-overload]
        elif key != OURS:
            assert first.metadata[key] == value


@given(SCOPES, SCOPES)
def test_different_owners_are_different_users(one: Mem0Scope, other: Mem0Scope) -> None:
    def owner(scope: Mem0Scope) -> tuple[str, str] | None:
        return next(((name, value) for name in RULE.user_from if (value := getattr(scope, name)) is not None), None)

    def user(scope: Mem0Scope) -> str | None:
        try:
            return user_of(scope, RULE)
        except Unmappable:
            return None

    assert (owner(one) == owner(other)) == (user(one) == user(other))


def test_whose_a_memory_is_follows_the_rule() -> None:
    scope = Mem0Scope(user_id="maya", agent_id="desk", run_id="r1")
    assert user_of(scope, RULE) == "maya"
    assert user_of(scope, Rule("p", user_from=("agent_id", "user_id"))) == "agent:desk"
    assert user_of(Mem0Scope(run_id="r1"), RULE) == "run:r1"
    assert user_of(Mem0Scope(user_id="agent:desk"), RULE) == "user:agent:desk"
    with pytest.raises(Unmappable, match="no agent_id") as nobody:
        user_of(scope.model_copy(update={"agent_id": None}), Rule("p", user_from=("agent_id",)))
    assert nobody.value.error_class == "policy"


def test_what_was_written_back_is_not_taken_in_again() -> None:
    plain, echoed = of(metadata={"a": 1}), of(metadata={"a": 1, OURS: {"classifiers": ["home"]}}, updated_at="later")
    assert to_memory(plain, RULE) == to_memory(echoed, RULE)


def test_categories_go_where_the_setting_says() -> None:
    state = of(categories=["places", " Places ", "", "x" * 65, "food"])
    assert to_memory(state, Rule("p", categories="ignore")).classifiers is None
    assert "categories" not in to_memory(state, Rule("p", categories="ignore")).metadata["mem0"]  # type: ignore[operator]
    hinted = to_memory(state, Rule("p", categories="hint"))
    assert (hinted.classifiers, hinted.metadata["mem0"]["categories"][0]) == (None, "places")  # type: ignore[index,call-overload]
    assert to_memory(state, Rule("p", categories="provided")).classifiers == ("places", "food")
    assert to_memory(of(categories=[]), Rule("p", categories="provided")).classifiers is None


def test_a_day_lasts_to_its_end_and_a_date_that_is_none_for_ever() -> None:
    state = of(expiration_date="2026-07-31")
    assert to_memory(state, RULE).expires_at == NOW
    assert is_gone(state, RULE, NOW)
    assert not is_gone(state, RULE, NOW - timedelta(seconds=1))
    for said in ("soon", "2026-13-01", "9999-12-31", ""):
        assert to_memory(of(expiration_date=said), RULE).expires_at is None
        assert not is_gone(of(expiration_date=said), RULE, NOW)


def test_what_mem0_does_not_show_is_gone() -> None:
    assert is_gone(of(lifecycle_state="merged"), RULE, NOW)
    superseded = of(replaced_by="b-2")
    assert not is_gone(superseded, RULE, NOW)
    assert is_gone(superseded, Rule("p", superseded="remove"), NOW)
    assert to_memory(superseded, RULE).metadata["mem0"] == {
        "origin": "proj_1", "user_id": "maya", "superseded": True, "replaced_by": "b-2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "says", "error_class"),
    [
        ({"memory": "x" * 16_385}, "text", "limit"),
        ({"metadata": {"a": "x" * 17_000}}, "metadata", "limit"),
        ({"memory": "  "}, "text", "schema"),
        ({"user_id": "a\nb"}, "user_id", "schema"),
        ({"user_id": None}, "no user_id", "policy"),
        ({"metadata": {"a": float("nan")}}, "metadata", "schema"),
    ],
)
def test_what_cannot_be_a_memory_here_is_said(raw: dict[str, Any], says: str, error_class: str) -> None:
    with pytest.raises(Unmappable, match=says) as error:
        to_memory(of(**raw), RULE)
    assert error.value.error_class == error_class
    assert "xxx" not in str(error.value)


def test_the_open_source_library_says_the_same_in_other_words() -> None:
    payload = {
        "data": "Lives in Lisbon", "hash": "1", "created_at": "2026-05-03T09:12:44+00:00", "user_id": "maya",
        "run_id": "r1", "trip": 7, "text_lemmatized": "live lisbon", OURS: {"classifiers": ["home"]},
    }  # fmt: skip
    memory = to_memory(from_store("a-1", payload), Rule("oss"))
    assert (memory.user_id, memory.text, memory.metadata["trip"]) == ("maya", "Lives in Lisbon", 7)
    assert memory.metadata["mem0"] == {"origin": "oss", "user_id": "maya", "run_id": "r1"}
    assert set(memory.metadata) == {"trip", "mem0"}


@pytest.mark.parametrize("raw", [{"id": "a"}, {"memory": "x"}, {"id": 7, "memory": "x"}, {"id": "a", "memory": None}])
def test_what_is_no_memory_of_mem0_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no memory"):
        from_platform(raw)


def test_settings_make_the_rule() -> None:
    settings = Mem0Settings.model_validate({"user_from": "agent_id, user_id", "categories": "provided"})
    assert Rule.of(settings, "p") == Rule("p", ("agent_id", "user_id"), "provided", "keep")
