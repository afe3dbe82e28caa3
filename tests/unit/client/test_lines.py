"""JSON lines."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.client import InvalidMemory, Memory, MemoryDeleted
from hybrid_memory.client.lines import MAX_LINE, Line, parse, read_lines


def lines(data: bytes) -> list[Line]:
    return list(read_lines(io.BytesIO(data)))


def line(data: bytes) -> Line:
    return Line(1, len(data), data)


def test_blank_lines_are_counted_and_skipped() -> None:
    assert lines(b"a\n\n \r\nb") == [Line(1, 2, b"a\n"), Line(4, 7, b"b")]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert [each.data for each in lines(b"\xef\xbb\xbf{}\n")] == [b"{}\n"]


@pytest.mark.parametrize("length", [MAX_LINE, 2 * MAX_LINE + 7, 3 * MAX_LINE])
def test_a_line_too_long_is_passed_over(length: int) -> None:
    data = b"x" * length + b"\nnext\n"
    first, second = lines(data)
    assert (first.number, first.data, first.end) == (1, None, length + 1)
    assert second == Line(2, len(data), b"next\n")


def test_the_longest_line_that_is_read() -> None:
    assert lines(b"x" * (MAX_LINE - 1) + b"\n")[0].data is not None


@given(st.binary(max_size=200))
def test_no_byte_is_lost(data: bytes) -> None:
    found = lines(data)
    assert sum(1 for each in found) <= data.count(b"\n") + 1
    assert all(each.end <= len(data) for each in found)


def test_the_largest_memory_fits_in_a_line() -> None:
    memory = {
        "user_id": "\U0001f600" * 256,
        "memory_id": "\U0001f600" * 256,
        "text": "\U0001f600" * 16_384,
        "metadata": {"a": "\U0001f600" * 4000},
        "classifiers": ["\U0001f600" * 60 + str(i) for i in range(16)],
    }
    data = json.dumps(memory).encode()
    assert len(data) < MAX_LINE
    assert isinstance(parse(line(data)), Memory)


def test_a_memory() -> None:
    event = parse(line(b'{"user_id": "u", "text": "hello"}'))
    assert isinstance(event, Memory)
    assert (event.user_id, event.text) == ("u", "hello")


def test_a_deletion() -> None:
    event = parse(line(b'{"user_id": "u", "memory_id": "m", "deleted": true}'))
    assert event == MemoryDeleted(user_id="u", memory_id="m")


def test_the_default_user() -> None:
    assert parse(line(b'{"text": "hello"}'), "bob").user_id == "bob"
    assert parse(line(b'{"user_id": null, "text": "hello"}'), "bob").user_id == "bob"
    assert parse(line(b'{"user_id": "u", "text": "hello"}'), "bob").user_id == "u"
    assert parse(line(b'{"memory_id": "m", "deleted": true}'), "bob") == MemoryDeleted(user_id="bob", memory_id="m")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "^not JSON: "),
        (b"\xff", "^not JSON: "),
        (b'"\\ud800"', "^not JSON: "),
        (b"[" * 10_000, "^not JSON: "),
        (b"[]", "^not a JSON object$"),
        (b"{}", "user_id: Field required; text: Field required"),
        (b'{"user_id": "u", "text": "x", "deleted": 1}', "^deleted: "),
        (b'{"user_id": "u", "deleted": true}', "^memory_id: Field required$"),
        (b'{"user_id": "u", "memory_id": "m", "deleted": true, "text": "x"}', "^text: a deletion has no such field$"),
    ],
)
def test_a_bad_line_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidMemory, match=reason):
        parse(line(data))


def test_a_line_too_long_says_so() -> None:
    with pytest.raises(InvalidMemory, match="longer than 1048576 bytes"):
        parse(Line(1, 1, None))


@given(st.binary(max_size=100) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_any_line_is_an_event_or_invalid(data: bytes) -> None:
    with pytest.raises(InvalidMemory):
        parse(line(data), "u")
