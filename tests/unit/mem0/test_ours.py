"""What differs between Mem0 and the log: against the obvious answer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.mapping import Rule, differing, fingerprints
from hybrid_memory.mem0.ours import Difference, Ours
from hybrid_memory.schemas import Memory

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule("project")


def memory(user: str = "ada", name: str = "m1", text: str = "tea", **rest: object) -> Memory:
    return Memory(user_id=user, memory_id=name, text=text, source="mem0", created_at=_NOW, **rest)


@pytest.fixture
def ours() -> Iterator[Ours]:
    with Ours(RULE) as table:
        yield table


memories = st.lists(
    st.builds(
        memory, user=st.sampled_from(["ada", "bo/@%"]), name=st.sampled_from("abcdef"), text=st.sampled_from(["x", "y"])
    ),
    max_size=12,
)


@given(held=memories, said=memories)
def test_the_differences_are_those_of_two_dictionaries(held: list[Memory], said: list[Memory]) -> None:
    here, there = ({each.key: each for each in each_side} for each_side in (held, said))
    with Ours(RULE) as table:
        for each in held:
            table.put(each)
        table.begin()
        met = [found for each in there.values() if (found := table.meet(each)) is not None]
        gone = list(table.gone(None, _NOW))
        assert [table.meet(each) for each in there.values()] == [None] * len(there)
    assert {(each.kind, each.user_id, each.memory_id) for each in met + gone} == {
        *(("missing", each.user_id, each.memory_id) for key, each in there.items() if key not in here),
        *(("gone", each.user_id, each.memory_id) for key, each in here.items() if key not in there),
        *(
            ("different", each.user_id, each.memory_id)
            for key, each in there.items()
            if key in here and here[key].text != each.text
        ),
    }


def test_a_difference_names_its_fields(ours: Ours) -> None:
    ours.put(memory(metadata={"a": 1, "b": [2]}))
    ours.begin()
    assert ours.meet(memory(metadata={"b": [2], "a": 1})) is None
    changed = memory(text="coffee", metadata={"a": 2}, expires_at=_NOW)
    assert ours.meet(changed) == Difference("different", "ada", "m1", ("text", "metadata", "expires_at"))


def test_classifiers_are_compared_only_where_mem0_provides_them() -> None:
    for rule, fields in ((RULE, ()), (Rule("project", categories="provided"), ("classifiers",))):
        ours, theirs = fingerprints(memory(classifiers=("tea",)), rule), fingerprints(memory(), rule)
        assert differing(ours, theirs) == fields


def test_what_waits_for_the_publisher_is_known(ours: Ours) -> None:
    ours.begin()
    ours.hint(memory())
    assert ours.meet(memory()) == Difference("missing", "ada", "m1", (), hinted=True)
    assert ours.meet(memory(text="coffee")) == Difference("missing", "ada", "m1", (), hinted=False)
    ours.begin()
    assert ours.meet(memory()) == Difference("missing", "ada", "m1")


def test_a_moment_is_the_same_in_every_zone() -> None:
    there = memory().model_copy(update={"created_at": _NOW.astimezone()})
    assert fingerprints(memory(), RULE) == fingerprints(there, RULE)


def test_a_memory_that_changed_while_it_was_read_is_compared_again(ours: Ours) -> None:
    ours.put(memory())
    ours.begin()
    assert ours.meet(memory()) is None
    assert ours.meet(memory(text="coffee")) is not None
    assert ours.meet(memory(text="coffee")) is None


def test_a_memory_that_is_another_users_now_is_missing_there_and_gone_here(ours: Ours) -> None:
    ours.put(memory("ada"))
    ours.begin()
    assert ours.meet(memory("bo")) == Difference("missing", "bo", "m1")
    assert list(ours.gone(None, _NOW)) == [Difference("gone", "ada", "m1")]


def test_only_the_users_asked_for_have_lost_something(ours: Ours) -> None:
    ours.put(memory("user:ada", metadata={"mem0": {"user_id": "ada"}}))
    ours.put(memory("bo", metadata={"mem0": {"user_id": "bo"}}))
    ours.begin()
    assert list(ours.gone(["bo"], _NOW)) == [Difference("gone", "bo", "m1")]


def test_what_has_expired_is_not_gone(ours: Ours) -> None:
    ours.put(memory(expires_at=_NOW))
    ours.begin()
    assert list(ours.gone(None, _NOW + timedelta(seconds=1))) == []
    assert list(ours.gone(None, _NOW - timedelta(seconds=1))) != []


def test_what_the_log_deleted_is_not_held(ours: Ours) -> None:
    ours.put(memory())
    ours.drop(memory().key)
    assert ours.held() == 0
