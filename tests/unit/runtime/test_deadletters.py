"""Dead letters keep the record and say why; the brake pulls when too much is dead."""

from dataclasses import replace
from datetime import datetime

import hypothesis.strategies as st
from hypothesis import given, settings

from hybrid_memory.runtime.deadletters import MAX_BYTES, Brake, Failure, dead_letter, size_of
from hybrid_memory.schemas import Record
from hybrid_memory.schemas.registry import load_registry

FAILURE = Failure("schema", "DecodeError", "text: too short", "sink")


def test_a_dead_letter_keeps_the_record_and_adds_the_reason() -> None:
    record = Record("a.memories", 3, 41, 1234, b"k", b"v", (("traceparent", b"00-x"), ("hm-redrive-count", b"2")))
    letter = dead_letter(record, FAILURE, topic_prefix="a.")
    headers = dict(letter.headers)
    assert (letter.topic, letter.partition, letter.timestamp) == ("dlq.memories", 3, 1234)
    assert (letter.key, letter.value, headers["traceparent"]) == (b"k", b"v", b"00-x")
    assert headers["__connect.errors.topic"] == b"a.memories"
    assert headers["__connect.errors.offset"] == b"41"
    assert headers["__connect.errors.exception.message"] == b"text: too short"
    assert (headers["hm-error-class"], headers["hm-redrive-count"]) == (b"schema", b"2")


def test_a_record_without_a_key_gets_one_of_its_own() -> None:
    keys = {dead_letter(Record("memories", 0, offset, 0, None, b"v"), FAILURE).key for offset in range(3)}
    assert len(keys) == 3


def test_who_dies_again_keeps_the_time_of_the_first_death_and_counts_on() -> None:
    first = dict(dead_letter(Record("memories", 0, 1, 0, b"k", b"v"), FAILURE).headers)
    assert first["hm-attempts"] == b"1"
    again = Record("memories", 0, 9, 0, b"k", b"v", tuple(first.items()))
    headers = dict(dead_letter(again, FAILURE).headers)
    assert headers["hm-first-failed-at"] == first["hm-first-failed-at"]
    assert (headers["hm-attempts"], headers["__connect.errors.offset"]) == (b"2", b"9")


def test_a_letter_is_about_one_state_at_most() -> None:
    old = Record("mem0.hints", 0, 1, 0, b"k", b"v", (("hm-state", b"old"),))
    [state] = [value for name, value in dead_letter(old, replace(FAILURE, state="new")).headers if name == "hm-state"]
    assert state == b"new"
    assert "hm-state" not in dict(dead_letter(old, FAILURE).headers)


@given(st.sampled_from(["hm-attempts", "hm-first-failed-at"]), st.binary(max_size=20))
def test_what_strangers_write_into_these_headers_does_no_harm(name: str, said: bytes) -> None:
    headers = dict(dead_letter(Record("memories", 0, 1, 0, b"k", b"v", ((name, said),)), FAILURE).headers)
    assert int(headers["hm-attempts"] or b"") >= 1
    assert datetime.fromisoformat((headers["hm-first-failed-at"] or b"").decode())


sizes = st.sampled_from([0, 1, 1000, 60_000, 900_000, 1_048_588, 3_000_000])


@settings(max_examples=60)
@given(sizes, sizes, sizes, st.booleans())
def test_a_letter_is_never_too_large_and_no_smaller_than_it_must_be(
    key: int, value: int, header: int, stack: bool
) -> None:
    record = Record("memories", 3, 41, 5, b"k" * key, b"v" * value, (("h", b"h" * header),))
    failure = Failure("poison", "DecodeError", "no " * 2000, "sink", "é" * 20_000 * stack)
    letter = dead_letter(record, failure)
    headers = dict(letter.headers)
    left_out = set(headers.get("hm-left-out", b"").split(b",")) - {b""}  # type: ignore[union-attr]
    assert size_of(letter) <= MAX_BYTES
    assert (headers["__connect.errors.partition"], headers["__connect.errors.offset"]) == (b"3", b"41")
    kept = {
        b"key": (letter.key, record.key),
        b"value": (letter.value, record.value),
        b"headers": ("h" in headers, True),
    }
    assert {part for part, (now, before) in kept.items() if now != before} <= left_out
    lengths = {b"key": key, b"value": value, b"headers": header}
    for part in left_out:
        assert sum(length for name, length in lengths.items() if name == part or name not in left_out) > 900_000
    assert bool(left_out) == (key + value + header > 1_100_000)


def test_the_limit_is_that_of_the_topics() -> None:
    limits = {int(spec.config["max.message.bytes"]) for spec in load_registry() if spec.dead_letters_of}
    assert limits == {MAX_BYTES + 1024}


@given(st.lists(st.booleans(), max_size=60))
def test_the_brake_is_the_obvious_one(dead: list[bool]) -> None:
    brake, pulled, expected = Brake(window=10, share=0.5, in_a_row=4), False, False
    for place, is_dead in enumerate(dead):
        brake.count(is_dead)
        pulled = pulled or brake.reason is not None
        seen = dead[: place + 1]
        expected = expected or (all(seen[-4:]) and len(seen) >= 4) or (len(seen) >= 10 and sum(seen[-10:]) >= 5)
    assert pulled == expected
