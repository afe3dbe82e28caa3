"""What differs between Mem0 and the log: against the obvious answer."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.comparison import Comparison, Difference
from hybrid_memory.mem0.mapping import Rule, differing, fingerprint
from hybrid_memory.mem0.there import There
from hybrid_memory.schemas import Memory, MemoryDeleted, MemoryEvent, Record, encode_memory

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule("project")


def memory(user: str = "ada", name: str = "m1", text: str = "tea", **rest: object) -> Memory:
    return Memory(user_id=user, memory_id=name, text=text, source="mem0", created_at=_NOW, **rest)


@contextmanager
def compared(*log: MemoryEvent) -> Iterator[Comparison]:
    """A round beside a log that says this."""
    with closing(There(RULE)) as there:
        for offset, event in enumerate(log):
            new = encode_memory(event)
            there.apply(Record("memories", 0, offset, 0, new.key, new.value, new.headers))
        with closing(Comparison(there)) as comparison:
            yield comparison


memories = st.lists(
    st.builds(
        memory, user=st.sampled_from(["ada", "bo/@%"]), name=st.sampled_from("abcdef"), text=st.sampled_from(["x", "y"])
    ),
    max_size=12,
)


@given(held=memories, said=memories)
def test_the_differences_are_those_of_two_dictionaries(held: Sequence[Memory], said: Sequence[Memory]) -> None:
    here, there = ({each.key: each for each in side} for side in (held, said))
    with compared(*held) as comparison:
        met = [found for each in there.values() if (found := comparison.meet(each)) is not None]
        gone = list(comparison.gone())
        assert [comparison.meet(each) for each in there.values()] == [None] * len(there)
    assert {(each.kind, each.user_id, each.memory_id) for each in met + gone} == {
        *(("missing", each.user_id, each.memory_id) for key, each in there.items() if key not in here),
        *(("gone", each.user_id, each.memory_id) for key, each in here.items() if key not in there),
        *(
            ("different", each.user_id, each.memory_id)
            for key, each in there.items()
            if key in here and here[key].text != each.text
        ),
    }


def test_a_difference_names_its_fields() -> None:
    with compared(memory(metadata={"a": 1, "b": [2]})) as comparison:
        assert comparison.meet(memory(metadata={"b": [2], "a": 1})) is None
        changed = memory(text="coffee", metadata={"a": 2}, expires_at=_NOW)
        assert comparison.meet(changed) == Difference("different", "ada", "m1", "text, metadata, expires_at")


def test_classifiers_are_compared_only_where_mem0_provides_them() -> None:
    for rule, fields in ((RULE, ()), (Rule("project", categories="provided"), ("classifiers",))):
        ours, theirs = fingerprint(memory(classifiers=("tea",)), rule), fingerprint(memory(), rule)
        assert differing(ours, theirs) == fields


def test_what_waits_for_the_publisher_is_known() -> None:
    with compared() as comparison:
        comparison.wait_for(memory())
        assert comparison.meet(memory()) == Difference("missing", "ada", "m1", hinted=True)
        assert comparison.meet(memory(text="coffee")) == Difference("missing", "ada", "m1")


def test_what_was_hinted_at_and_is_gone_again_is_gone() -> None:
    with compared(memory("ada", "m1")) as comparison:
        for name in ("m1", "m2", "m3"):
            comparison.wait_for(memory("ada", name))
        comparison.meet(memory("ada", "m2"))
        assert sorted(each.memory_id for each in comparison.gone()) == ["m1", "m3"]


def test_a_moment_is_the_same_in_every_zone() -> None:
    there = memory().model_copy(update={"created_at": _NOW.astimezone()})
    assert fingerprint(memory(), RULE) == fingerprint(there, RULE)


def test_a_memory_that_changed_while_it_was_read_is_compared_again() -> None:
    with compared(memory()) as comparison:
        assert comparison.meet(memory()) is None
        assert comparison.meet(memory(text="coffee")) is not None
        assert comparison.meet(memory(text="coffee")) is None


def test_a_memory_that_is_another_users_now_is_missing_there_and_gone_here() -> None:
    with compared(memory("ada")) as comparison:
        assert comparison.meet(memory("bo")) == Difference("missing", "bo", "m1")
        assert list(comparison.gone()) == [Difference("gone", "ada", "m1")]


def test_only_the_users_asked_for_have_lost_something() -> None:
    with compared(memory("ada"), memory("bo")) as comparison:
        assert list(comparison.gone({"bo"})) == [Difference("gone", "bo", "m1")]


def test_what_the_log_deleted_is_not_gone_but_missing() -> None:
    with compared(memory(), MemoryDeleted(user_id="ada", memory_id="m1")) as comparison:
        assert list(comparison.gone()) == []
        assert comparison.meet(memory()) == Difference("missing", "ada", "m1")
