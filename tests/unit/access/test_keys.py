"""API keys: only the whole, right, living one opens anything."""

import ast
import inspect
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hybrid_memory.runtime.access import keys as keys_module
from hybrid_memory.runtime.access.caller import READ_WRITE, Caller, Scope
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.keys import KeyEntry, KeyRing, hash_of, make_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_key_opens_what_its_entry_says() -> None:
    new = make_key("agent", READ_WRITE, frozenset({"ada"}))
    assert new.key.startswith(f"hm_{new.entry.id}_")
    caller = KeyRing([new.entry]).caller(new.key, NOW)
    assert caller == Caller(f"key:{new.entry.id}", READ_WRITE, frozenset({"ada"}))


def test_a_key_for_all_users() -> None:
    new = make_key("agent", [Scope.ADMIN], "all")
    assert KeyRing([new.entry]).caller(new.key, NOW).users is None


def test_a_user_who_is_called_all_is_one_user() -> None:
    new = make_key("agent", READ_WRITE, frozenset({"all"}))
    assert KeyRing([new.entry]).caller(new.key, NOW).users == frozenset({"all"})


def test_nothing_of_the_key_is_kept_but_its_hash() -> None:
    new = make_key("agent", READ_WRITE, "all")
    secret = new.key.removeprefix(f"hm_{new.entry.id}_")
    assert secret not in new.entry.model_dump_json()
    assert new.entry.hash == hash_of(new.key)
    assert new.entry.hash not in repr(new.entry), "a hash is not shown either"


def test_no_two_keys_are_alike() -> None:
    assert len({make_key("a", READ_WRITE, "all").key for _ in range(100)}) == 100


RIGHT = make_key("right", READ_WRITE, "all")
OTHER = make_key("other", READ_WRITE, "all")
RING = KeyRing([RIGHT.entry, OTHER.entry])


@given(st.integers(0, len(RIGHT.key) - 1), st.characters())
def test_a_key_with_one_letter_changed_opens_nothing(at: int, letter: str) -> None:
    forged = RIGHT.key[:at] + letter + RIGHT.key[at + 1 :]
    if forged != RIGHT.key:
        with pytest.raises(NotAccepted):
            RING.caller(forged, NOW)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "hm_",
        RIGHT.entry.id,
        RIGHT.entry.hash,
        RIGHT.key[:-1],
        RIGHT.key + "A",
        RIGHT.key + "\n",
        RIGHT.key.upper(),
        f"hm_{OTHER.entry.id}_{RIGHT.key[16:]}",
        make_key("never kept", READ_WRITE, "all").key,
    ],
    ids=["empty", "prefix", "id", "hash", "short", "long", "newline", "upper", "another's", "unknown"],
)
def test_what_only_looks_like_a_key_opens_nothing(forged: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        RING.caller(forged, NOW)
    assert RIGHT.key[16:] not in f"{refused.value} {refused.value.reason}"


@given(st.text())
def test_no_text_is_a_fault(text: str) -> None:
    with pytest.raises(NotAccepted):
        RING.caller(text, NOW)


@pytest.mark.parametrize(("after", "opens"), [(-1, True), (0, False), (1, False)])
def test_it_opens_until_the_moment_of_its_expiry(after: int, opens: bool) -> None:
    new = make_key("guest", READ_WRITE, "all", expires=NOW)
    moment = NOW + timedelta(seconds=after)
    if opens:
        assert KeyRing([new.entry]).caller(new.key, moment)
    else:
        with pytest.raises(NotAccepted):
            KeyRing([new.entry]).caller(new.key, moment)


@pytest.mark.parametrize("revoked_first", [True, False])
def test_a_revoked_entry_beats_another_of_its_id(revoked_first: bool) -> None:
    new = make_key("agent", READ_WRITE, "all")
    entries = [new.entry, new.entry.model_copy(update={"revoked": NOW})]
    ring = KeyRing(reversed(entries) if revoked_first else entries)
    with pytest.raises(NotAccepted):
        ring.caller(new.key, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": [], "users": "all"},
        {"scopes": ["root"], "users": "all"},
        {"scopes": ["admin"], "users": ["ada"]},
        {"users": []},
        {"users": "ada"},
        {"users": [""]},
        {"users": ["a\nb"]},
        {"users": [7]},
        {"users": "all", "hash": "sha256:00"},
        {"users": "all", "id": "x"},
        {"users": "all", "more": 1},
        {},
    ],
)
def test_an_entry_that_cannot_be(wrong: dict[str, object]) -> None:
    right = {"id": RIGHT.entry.id, "name": "n", "hash": RIGHT.entry.hash}
    with pytest.raises(ValidationError):
        KeyEntry.model_validate(right | wrong)


def test_hashes_are_compared_in_constant_time_alone() -> None:
    """No `==` or `!=` is applied to a hash anywhere in the module, and `compare_digest` is."""
    tree = ast.parse(inspect.getsource(keys_module))
    compared = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert [text for text in compared if "hash" in text] == []
    assert "hmac.compare_digest(hash_of(key)" in ast.unparse(tree)
