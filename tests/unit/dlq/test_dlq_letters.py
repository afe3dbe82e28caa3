"""Which dead letters are there, after nulls, copies, and the compaction that may come at any time."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid_memory.dlq.headers import DROPPED
from hybrid_memory.dlq.letters import Filter, Letter, Ref, View, newest_of_each_key, parse_age
from hybrid_memory.runtime.deadletters import Failure, dead_letter
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import ErrorClass, Record


def letter(offset: int, key: bytes = b"k", error_class: ErrorClass = "poison", stood: int | None = None) -> Record:
    source = Record("memories", 0, offset if stood is None else stood, 5, key, b"{", ())
    new = dead_letter(source, Failure(error_class, "DecodeError", "no", "sink"))
    return Record("dlq.memories", 0, offset, 5, new.key, new.value, new.headers)


def null(offset: int, dropped: bytes | None = None, key: bytes = b"k") -> Record:
    return Record("dlq.memories", 0, offset, 5, key, None, () if dropped is None else ((DROPPED, dropped),))


def view_of(*records: Record) -> View:
    view = View()
    for record in records:
        view.apply(record)
    return view


def offsets(view: View) -> list[int]:
    return sorted(found.record.offset for found in view.letters())


def test_a_null_drops_the_letters_that_it_names_and_no_other() -> None:
    view = view_of(letter(1), letter(2), letter(3, b"other"), null(4, b"1"))
    assert offsets(view) == [2, 3]
    assert [found.record.offset for found in view.endangered()] == [2]
    assert offsets(view_of(letter(1), letter(2), null(3))) == []  # somebody else's null: all before it
    assert offsets(view_of(letter(1), null(2), letter(3))) == [3]
    assert offsets(view_of(letter(1), null(2, b"garbled"))) == []


def test_a_copy_stands_for_the_letter_that_a_null_endangers() -> None:
    view = view_of(letter(1), letter(2), null(3, b"1"))
    new = view.endangered()[0].copy()
    view.apply(Record("dlq.memories", 0, 4, 5, new.key, new.value, new.headers))
    assert offsets(view) == [4]
    assert view.endangered() == []
    [kept] = view.letters()
    assert (kept.why.offset, kept.record.value) == (2, b"{")
    again = kept.copy()
    assert [name for name, _ in again.headers].count("hm-copy-of") == 1


def test_a_dead_deletion_is_a_letter_though_it_has_no_value() -> None:
    dead = letter(1)
    deletion = Record(dead.topic, 0, 1, 5, dead.key, None, dead.headers)
    assert offsets(view_of(deletion)) == [1]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(0, 30)), max_size=30))
def test_after_the_endangered_were_copied_compaction_takes_no_key_that_has_a_letter(
    steps: list[tuple[str, bool, int]],
) -> None:
    log: list[Record] = []
    for key, is_letter, which in steps:
        offset, name = len(log), key.encode()
        log.append(letter(offset, name) if is_letter else null(offset, str(which).encode(), name))
    view = view_of(*log)
    before = {found.why.offset for found in view.letters()}
    for found in view.endangered():
        new = found.copy()
        log.append(Record("dlq.memories", 0, len(log), 5, new.key, new.value, new.headers))
    assert view_of(*log).endangered() == []
    assert {found.why.offset for found in view_of(*log).letters()} == before
    last_of_key = {record.key: record for record in log}
    compacted = view_of(*sorted(last_of_key.values(), key=lambda record: record.offset))
    keys = {found.record.key for found in view_of(*log).letters()}
    assert {found.record.key for found in compacted.letters()} == keys


def test_the_newest_of_a_key_is_the_one_that_stood_last() -> None:
    copied_later = view_of(letter(4, stood=2), letter(3, stood=9))
    found = list(copied_later.letters())
    assert [one.why.offset for one in newest_of_each_key(found)] == [9]
    assert [one.why.offset for one in copied_later.same_key(found[0])] == [2, 9]


def test_filters() -> None:
    found = Letter(letter(1), next(view_of(letter(1)).letters()).why)
    now = datetime.now(UTC)
    assert Filter()(found, now)
    assert Filter("poison", "sink", timedelta())(found, now + timedelta(seconds=5))
    assert Filter("DecodeError")(found, now)
    assert not Filter("schema")(found, now)
    assert not Filter(stage="classify")(found, now)
    assert not Filter(older_than=timedelta(hours=1))(found, now)
    assert Filter(older_than=timedelta(hours=1))(found, now + timedelta(hours=2))


def test_references_and_ages() -> None:
    assert Ref.parse("a:b.dlq"[2:] + ":3:41") == Ref("b.dlq", 3, 41)
    assert str(Ref("b.dlq", 3, 41)) == "b.dlq:3:41"
    assert parse_age("90s") == timedelta(seconds=90)
    assert parse_age("2w") == timedelta(days=14)


@pytest.mark.parametrize("text", ["", "topic", "topic:1", "topic:1:x", "topic:-1:2", ":1:2", "t:1:2:3", "t:1:²"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="TOPIC:PARTITION:OFFSET"):
        Ref.parse(text)


@pytest.mark.parametrize("text", ["", "1", "h", "1y", "-1h", "1.5h", "999999h", "²h"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="15m"):
        parse_age(text)
