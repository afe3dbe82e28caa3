"""Points, identities and progress survive their way through a store."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.index.meta import identity_from_json, identity_to_json, progress_from_json, progress_to_json
from hybrid_memory.index.payload import from_payload, to_payload
from hybrid_memory.index.points import Point
from hybrid_memory.index.store import Identity, Progress
from hybrid_memory.schemas import Memory, Provenance, Source, memory_key

letters = st.characters(exclude_categories=["Cs", "Cc"])
words = st.text(letters, min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-9))])
moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=zones)
numbers = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(letters, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(letters, max_size=8), inner, max_size=3),
    max_leaves=6,
)
offsets = st.integers(0, 2**53 - 1)
positions = st.dictionaries(st.tuples(words, st.integers(0, 999)), offsets)
topics = st.dictionaries(words, st.tuples(words, st.integers(1, 99)))


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    classifiers = draw(st.none() | st.lists(words, max_size=3))
    return Memory.new(
        user_id=draw(words),
        memory_id=draw(words),
        text=draw(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))
        ),
        topic=draw(st.none() | words),
        classifiers=classifiers,
        pinned=draw(st.booleans()) and classifiers is not None,
        metadata=draw(st.dictionaries(st.text(letters, max_size=8), json_values, max_size=3)),
        created_at=draw(moments),
        expires_at=draw(st.none() | moments),
    )


@st.composite
def points(draw: st.DrawFn) -> Point:
    numbers: dict[str, Any] = {
        "seq": draw(offsets),
        "appended_at": draw(offsets),
        "generation": draw(st.integers(0, 99)),
    }
    source: Source = draw(st.sampled_from(["provided", "rules", "llm"]))
    if draw(st.booleans()):
        return Point(key=memory_key(draw(words), draw(words)), memory=None, state="deleted", source=source, **numbers)
    memory = draw(memories())
    return Point(
        key=memory.key,
        memory=memory,
        state=draw(st.sampled_from(["provisional", "final"])),
        topic=draw(st.none() | words),
        classifiers=tuple(draw(st.lists(words, max_size=3))),
        source=source,
        provenance=draw(st.none() | st.builds(Provenance, source=st.just("llm"), model=st.none() | words, at=moments)),
        **numbers,
    )


@given(points())
def test_a_point_comes_back_from_its_payload(point: Point) -> None:
    assert from_payload(json.loads(json.dumps(to_payload(point)))) == point


@given(points())
def test_a_payload_can_be_filtered_on(point: Point) -> None:
    payload = to_payload(point)
    assert None not in payload.values()
    assert payload["state"] == point.state
    assert ("deleted_at" in payload) == (not point.live)
    assert memory_key(payload["user_id"], payload.get("memory_id", point.key.partition("/")[2])) == point.key
    assert ("expires_at" in payload) == (point.memory is not None and point.memory.expires_at is not None)


def test_a_tombstone_holds_nothing_of_the_memory() -> None:
    payload = to_payload(Point(key="ann/m1", seq=3, appended_at=5, memory=None, state="deleted"))
    order = {"key", "user_id", "state", "seq", "since", "appended_at", "generation", "source"}
    assert set(payload) == {*order, "deleted_at"}


@pytest.mark.parametrize("field", ["key", "seq", "state"])
def test_a_payload_that_lacks_a_field_is_not_guessed_at(field: str) -> None:
    payload = to_payload(Point(key="ann/m1", seq=3, appended_at=5, memory=None, state="deleted"))
    with pytest.raises(KeyError, match=field):
        from_payload({name: value for name, value in payload.items() if name != field})


@given(st.builds(Identity, words, topics, words, st.integers(1, 4096), st.integers(0, 9)))
def test_an_identity_comes_back_from_its_json(identity: Identity) -> None:
    assert identity_from_json(identity_to_json(identity)) == identity


@given(st.builds(Progress, positions, offsets))
def test_progress_comes_back_from_its_json(progress: Progress) -> None:
    assert progress_from_json(progress_to_json(progress)) == progress
