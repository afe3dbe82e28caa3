"""Any valid event becomes a record and comes back as the same event."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.schemas import (
    FactSuperseded,
    MachineProvenance,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    NewRecord,
    Position,
    Record,
    decode_fact,
    decode_memory,
    encode_fact,
    encode_memory,
    if_seq,
    partition_of,
    trace_headers,
)
from hybrid_memory.schemas.json_schema import MODELS

PARTITIONS = 8
TRACE = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("tracestate", b"a=1"))

_visible = st.characters(exclude_categories=["Cc", "Cs"])
_ids = st.text(_visible, min_size=1, max_size=256) | st.text("%/@. éß漢🍁", min_size=1, max_size=12)
_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(lambda text: text.strip())
_words = st.text(_visible, min_size=1, max_size=64).filter(lambda word: word.strip())
_labels = st.lists(_words, max_size=16)
_offsets = st.integers(0, 2**53 - 1)
_zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=9))])
_moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=_zones)
_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(_visible, max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    classifiers = draw(st.none() | _labels)
    return Memory.new(
        user_id=draw(_ids),
        memory_id=draw(st.none() | _ids),
        text=draw(_texts),
        topic=draw(st.none() | _words),
        type=draw(_words),
        classifiers=classifiers,
        pinned=classifiers is not None and draw(st.booleans()),
        metadata=draw(st.dictionaries(st.text(_visible, max_size=10), _json, max_size=4)),
        created_at=draw(_moments),
        expires_at=draw(st.none() | _moments),
        source=draw(_words),
    )


@st.composite
def facts(draw: st.DrawFn) -> MemoryClassified:
    seq, generation = draw(_offsets), draw(st.integers(0, 2**31 - 1))
    some = st.none() | _words
    return MemoryClassified(
        memory=draw(memories()),
        seq=seq,
        generation=generation,
        classifiers=tuple(draw(_labels)),
        provenance=MachineProvenance(
            source=draw(st.sampled_from(["rules", "llm"])),
            model=draw(some),
            revision=draw(some),
            prompt=draw(some),
            taxonomy=draw(some),
            generation=generation,
            at=draw(_moments),
        ),
        origin=Position(topic_id="nZ0m3cQxQ0qLZ8wXy5bKdg", partition=draw(st.integers(0, 99)), offset=seq),
    )


def stored(new: NewRecord, **changes: Any) -> Record:
    """The record as a reader finds it."""
    place: dict[str, Any] = {"topic": new.topic, "partition": new.partition or 0, "offset": 7, "timestamp": 0}
    return Record(**(place | {"key": new.key, "value": new.value, "headers": new.headers} | changes))


def structured(new: NewRecord) -> Record:
    """The same event in CloudEvents' structured mode."""
    headers = {name: (value or b"").decode() for name, value in new.headers}
    event = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    if new.value is not None:
        event["data"] = json.loads(new.value)
    value = json.dumps(event).encode()
    return stored(new, value=value, headers=(("content-type", b"application/cloudevents+json; charset=utf-8"),))


def with_unknown_fields(new: NewRecord) -> Record:
    """The same event from a later version, which says more."""
    assert new.value is not None
    extra = {"language": "en", "confidence": 0.5, "links": [{"to": None}]}
    value = json.dumps(json.loads(new.value) | extra).encode()
    return stored(new, value=value, headers=(*new.headers, ("ce_later", b"1"), ("hm-later", None)))


@given(memories())
def test_a_memory_comes_back_the_same(memory: Memory) -> None:
    new = encode_memory(memory)
    assert decode_memory(stored(new)) == memory
    assert decode_memory(structured(new)) == memory
    assert decode_memory(with_unknown_fields(new)) == memory


@given(facts())
def test_a_fact_comes_back_the_same(fact: MemoryClassified) -> None:
    new = encode_fact(fact, PARTITIONS)
    assert decode_fact(stored(new)) == fact
    assert decode_fact(structured(new)) == fact
    assert decode_fact(with_unknown_fields(new)) == fact


@given(memories())
def test_what_was_read_is_written_the_same_again(memory: Memory) -> None:
    again = decode_memory(stored(encode_memory(memory)))
    assert encode_memory(again).value == encode_memory(memory).value


@given(_ids, _ids)
def test_a_deletion_comes_back_the_same(user_id: str, memory_id: str) -> None:
    deleted = MemoryDeleted(user_id=user_id, memory_id=memory_id)
    new = encode_memory(deleted)
    assert new.value is None
    assert decode_memory(stored(new)) == deleted
    assert decode_memory(structured(new)) == deleted
    assert decode_memory(stored(new, headers=())) == deleted  # as a tool that knows no CloudEvents writes it


@given(facts())
def test_a_superseded_fact_comes_back_the_same_and_lies_where_the_fact_lay(fact: MemoryClassified) -> None:
    superseded = FactSuperseded(memory_key=fact.memory.key, seq=fact.seq, generation=fact.generation)
    new, before = encode_fact(superseded, PARTITIONS), encode_fact(fact, PARTITIONS)
    assert new.value is None
    assert decode_fact(stored(new)) == superseded
    assert (new.key, new.partition) == (before.key, before.partition)


@given(facts())
def test_a_fact_lies_in_the_partition_of_its_memory(fact: MemoryClassified) -> None:
    assert encode_fact(fact, PARTITIONS).partition == partition_of(fact.memory.key, PARTITIONS)


@given(memories(), st.none() | _offsets)
def test_the_condition_and_the_trace_travel_in_the_headers(memory: Memory, seq: int | None) -> None:
    record = stored(encode_memory(memory, if_seq=seq, trace=TRACE))
    assert if_seq(record) == seq
    assert tuple(trace_headers(record)) == TRACE


def test_binary_mode_carries_every_attribute_that_the_binding_wants() -> None:
    memory = Memory.new(user_id="maya", text="I like tea", memory_id="tea")
    headers = {name: (value or b"").decode() for name, value in encode_memory(memory, source="urn:test").headers}
    assert headers.pop("ce_id") != ""
    assert datetime.fromisoformat(headers.pop("ce_time")).tzinfo is not None
    assert headers == {
        "ce_specversion": "1.0",
        "ce_source": "urn:test",
        "ce_type": "io.hybrid-memory.memory.upserted.v1",
        "ce_subject": "tea",
        "ce_dataschema": "urn:hybrid-memory:schema:memory.upserted.v1",
        "content-type": "application/json",
    }
    assert headers["ce_dataschema"].rpartition(":")[2] in MODELS


def test_a_memory_that_does_not_say_its_age_is_as_old_as_its_record() -> None:
    value = b'{"user_id":"maya","memory_id":"tea","text":"I like tea"}'
    record = Record("memories", 0, 0, 1_773_476_467_000, b"maya/tea", value)
    memory = decode_memory(record)
    assert memory == decode_memory(record)
    assert isinstance(memory, Memory)
    assert memory.created_at == datetime(2026, 3, 14, 8, 21, 7, tzinfo=UTC)


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_time_of_a_record_is_too_odd_for_that(timestamp: int) -> None:
    value = b'{"user_id":"maya","memory_id":"tea","text":"I like tea"}'
    assert isinstance(decode_memory(Record("memories", 0, 0, timestamp, b"maya/tea", value)), Memory)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(0, 999_999_999), _offsets)
def test_a_position_comes_back_from_its_text(topic_id: str, partition: int, offset: int) -> None:
    position = Position(topic_id=topic_id, partition=partition, offset=offset)
    assert Position.parse(str(position)) == position
