"""Why a record is dead, in the headers of all families; and nothing in a header makes reading fail."""

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid_memory.dlq.headers import copy_of, dropped_offsets, is_dead_letter, original, read_why
from hybrid_memory.runtime.deadletters import Failure, dead_letter
from hybrid_memory.schemas import Headers, Record

CONNECT: Headers = (
    ("__connect.errors.topic", b"orders"),
    ("__connect.errors.partition", b"3"),
    ("__connect.errors.offset", b"41"),
    ("__connect.errors.stage", b"VALUE_CONVERTER"),
    ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
    ("__connect.errors.exception.message", b"not Avro"),
    ("__connect.errors.exception.stacktrace", b"at org.apache"),
)
STREAMS: Headers = (
    ("__streams.errors.topic", b"orders"),
    ("__streams.errors.partition", b"3"),
    ("__streams.errors.offset", b"41"),
    ("__streams.errors.exception", b"org.apache.kafka.connect.errors.DataException"),
    ("__streams.errors.message", b"not Avro"),
    ("__streams.errors.stacktrace", b"at org.apache"),
)
SPRING: Headers = (
    ("kafka_dlt-original-topic", b"orders"),
    ("kafka_dlt-original-partition", (3).to_bytes(4, "big")),
    ("kafka_dlt-original-offset", (41).to_bytes(8, "big")),
    ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
    ("kafka_dlt-exception-cause-fqcn", b"org.apache.kafka.connect.errors.DataException"),
    ("kafka_dlt-exception-message", b"not Avro"),
    ("kafka_dlt-exception-stacktrace", b"at org.apache"),
)
NAMES = [name for name, _ in CONNECT + STREAMS + SPRING] + [
    "hm-error-class",
    "hm-first-failed-at",
    "hm-redrive-count",
    "hm-dropped-offsets",
    "hm-copy-of",
]
ANY_HEADERS = st.lists(
    st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=20)), st.none() | st.binary(max_size=30))
).map(tuple)


@pytest.mark.parametrize("headers", [CONNECT, STREAMS, SPRING], ids=["connect", "streams", "spring"])
def test_each_family_says_the_same(headers: Headers) -> None:
    why = read_why((("traceparent", b"00-x"), *headers))
    assert why.place == "orders:3:41"
    assert why.error_class == "DataException"
    assert (why.exception, why.message) == ("org.apache.kafka.connect.errors.DataException", "not Avro")
    assert why.stack == "at org.apache"
    assert is_dead_letter(headers)
    assert original((("traceparent", b"00-x"), *headers)) == (("traceparent", b"00-x"),)


@given(
    st.binary(max_size=20),
    st.sampled_from(["poison", "schema", "policy", "limit"]),
    st.text(max_size=50),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
)
def test_what_we_write_is_what_we_read(value: bytes, kind: str, message: str, partition: int, offset: int) -> None:
    record = Record("a.memories", partition, offset, 5, b"k", value, (("traceparent", b"00-x"),))
    failure = Failure(kind, "DecodeError", message, "sink")  # type: ignore[arg-type]
    letter = dead_letter(record, failure, "a.")
    why = read_why(letter.headers)
    assert (why.topic, why.partition, why.offset) == ("a.memories", partition, offset)
    assert (why.error_class, why.stage, why.message, why.redrives) == (kind, "sink", message, 0)
    assert why.failed_at is not None
    assert original(letter.headers) == record.headers


@given(ANY_HEADERS)
def test_no_header_makes_reading_fail(headers: Headers) -> None:
    why = read_why(headers)
    assert why.partition is None or why.partition >= 0
    assert why.offset is None or 0 <= why.offset < 2**63
    assert why.redrives >= 0
    dropped_offsets(headers)
    copy_of(headers)
    assert not is_dead_letter(original(headers))


def test_what_cannot_be_read_counts_as_absent() -> None:
    garbled: Headers = (
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"-1"),
        ("__connect.errors.offset", b"4x"),
        ("hm-redrive-count", b"many"),
        ("hm-first-failed-at", b"yesterday"),
        ("hm-dropped-offsets", b"3,,4"),
    )
    why = read_why(garbled)
    assert (why.topic, why.partition, why.offset, why.place) == ("orders", None, None, None)
    assert (why.redrives, why.failed_at, dropped_offsets(garbled)) == (0, None, None)
    assert read_why((("kafka_dlt-original-partition", b"3"),)).partition is None  # Spring's is binary
    assert read_why((("hm-first-failed-at", b"2026-01-01T00:00:00"),)).failed_at == datetime(2026, 1, 1, tzinfo=UTC)
