"""Dead letters keep the record and say why; the brake pulls when too much is dead."""

import hypothesis.strategies as st
from hypothesis import given

from hybrid_memory.runtime.deadletters import Brake, Failure, dead_letter
from hybrid_memory.schemas import Record

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


@given(st.lists(st.booleans(), max_size=60))
def test_the_brake_is_the_obvious_one(dead: list[bool]) -> None:
    brake, pulled, expected = Brake(window=10, share=0.5, in_a_row=4), False, False
    for place, is_dead in enumerate(dead):
        brake.count(is_dead)
        pulled = pulled or brake.reason is not None
        seen = dead[: place + 1]
        expected = expected or (all(seen[-4:]) and len(seen) >= 4) or (len(seen) >= 10 and sum(seen[-10:]) >= 5)
    assert pulled == expected
