"""Whatever a record holds, it is read, or refused with DecodeError: nothing else ever leaves the codec."""

import base64
import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid_memory.schemas import DecodeError, ErrorClass, Headers, Record, decode_fact, decode_memory, if_seq
from hybrid_memory.schemas.codec import CLASSIFIED_TYPE, DELETED_TYPE, IF_SEQ, UPSERTED_TYPE

STRUCTURED: Headers = (("content-type", b"application/cloudevents+json"),)
TEA = b'{"user_id":"maya","memory_id":"tea","text":"I like tea"}'

_names = st.sampled_from(["ce_type", "content-type", IF_SEQ, "ce_id", "traceparent"])
_contents = st.binary(max_size=30) | st.sampled_from(
    [UPSERTED_TYPE.encode(), DELETED_TYPE.encode(), CLASSIFIED_TYPE.encode(), b"application/cloudevents+json", b"7"]
)
_headers = st.lists(st.tuples(_names, st.none() | _contents), max_size=4).map(tuple)
_keys = st.none() | st.binary(max_size=30) | st.sampled_from([b"maya/tea", b"maya/tea@7.1", b"maya/tea@7.1@8.2"])
_any_json: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "data", "user_id", "memory_id", "text", "metadata", "memory", "origin", "seq", "provenance"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
_values = st.none() | st.binary(max_size=60) | _any_json.map(lambda value: json.dumps(value).encode())


def record(key: bytes | None, value: bytes | None, headers: Headers = ()) -> Record:
    return Record("memories", 0, 0, 0, key, value, headers)


@given(_keys, _values, _headers)
@example(b"maya/tea", b"[" * 200_000, STRUCTURED)
@example(b"maya/tea", b"[" * 200_000, ())
@example(b"maya/tea", b'{"metadata":' + b'{"a":' * 150 + b"1" + b"}" * 151, ())
@example(b"maya/tea", b'{"metadata":{"a":' + b"9" * 5_000 + b"}}", ())
@example(b"maya/tea", b'{"type":["a"],"data":1e999}', STRUCTURED)
@example(b"maya/tea", b'{"seq":' + b"9" * 5_000 + b"}", STRUCTURED)
@example(b"maya/tea@99999999999999999999.0", None, ())
@example(b"maya/tea@7." + b"9" * 5_000, None, ())
@example(b"maya/tea", TEA, ((IF_SEQ, b"9" * 5_000),))
@example(b"\xed\xa0\x80/tea", None, ())
def test_nothing_but_decode_error_leaves_the_codec(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    reads: tuple[Callable[[Record], object], ...] = (decode_memory, decode_fact, if_seq)
    for read in reads:
        with contextlib.suppress(DecodeError):
            read(record(key, value, headers))


def event(**fields: object) -> bytes:
    return json.dumps(fields).encode()


CASES: list[tuple[str, Record, ErrorClass, str]] = [
    ("no key", record(None, TEA), "poison", "the record has no key"),
    ("key not UTF-8", record(b"\xff", TEA), "poison", "the record's key cannot be read"),
    ("key of another form", record(b"maya", TEA), "poison", "not of the form user_id/memory_id"),
    ("not JSON", record(b"maya/tea", b"tea"), "poison", "Invalid JSON"),
    ("empty value", record(b"maya/tea", b""), "poison", "Invalid JSON"),
    ("not UTF-8", record(b"maya/tea", b'{"text":"\xff"}'), "poison", "Invalid JSON"),
    ("not an object", record(b"maya/tea", b"[]"), "schema", "object"),
    ("key of another memory", record(b"maya/coffee", TEA), "schema", "the key says maya/coffee, the value maya/tea"),
    ("another type", record(b"maya/tea", TEA, (("ce_type", b"com.example.order"),)), "schema", "com.example.order"),
    ("a later major", record(b"maya/tea", TEA, (("ce_type", b"io.hybrid-memory.memory.upserted.v2"),)), "schema", "v2"),
    ("deleted, yet with a value", record(b"maya/tea", TEA, (("ce_type", DELETED_TYPE.encode()),)), "schema", "deleted"),
    ("deletion of no valid id", record(b"maya/te\x00a", None), "schema", "memory_id"),
    ("deletion of too long an id", record(b"maya/" + b"t" * 257, None), "limit", "memory_id"),
    ("structured, not JSON", record(b"maya/tea", b"tea", STRUCTURED), "poison", "not JSON"),
    ("structured, a list", record(b"maya/tea", b"[]", STRUCTURED), "schema", "not a JSON object"),
    ("structured, no type", record(b"maya/tea", b"{}", STRUCTURED), "schema", "None is not known"),
    ("structured, no data", record(b"maya/tea", event(type=UPSERTED_TYPE), STRUCTURED), "schema", "data"),
    (
        "structured, binary data",
        record(b"maya/tea", event(type=UPSERTED_TYPE, data_base64=base64.b64encode(TEA).decode()), STRUCTURED),
        "schema",
        "data_base64 is not read",
    ),
]


@pytest.mark.parametrize(("bad", "error_class", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_bad_record_says_what_is_wrong(bad: Record, error_class: ErrorClass, says: str) -> None:
    with pytest.raises(DecodeError, match=says) as caught:
        decode_memory(bad)
    assert caught.value.error_class == error_class


@pytest.mark.parametrize("value", [b"", b"-1", b"1.0", b"seven", "７".encode(), b"\xff", str(2**53).encode()])
def test_a_condition_that_is_no_offset_is_refused(value: bytes) -> None:
    with pytest.raises(DecodeError, match="not an offset") as caught:
        if_seq(record(b"maya/tea", TEA, ((IF_SEQ, value),)))
    assert caught.value.error_class == "schema"
