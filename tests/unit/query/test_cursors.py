"""Cursors: each names its place and its list, and nothing else is taken for one."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.index.filters import Filter
from hybrid_memory.index.listing import Listing, Place
from hybrid_memory.query.cursors import BadCursor, from_cursor, to_cursor

LISTING = Listing("ada", 10, filter=Filter(topic="food", metadata=('["a",1]',)), order="created_at")
PLACE = Place(1_800_000_000_000, "0b5ee5c2-9d4f-5e0a-8f0e-3a4f6f0f5b11")


@given(st.integers(-(2**53), 2**53), st.uuids())
def test_there_and_back(value: int, id_: object) -> None:
    place = Place(value, str(id_))
    assert from_cursor(to_cursor(place, LISTING), LISTING) == place


def test_the_page_size_and_the_time_may_change() -> None:
    assert from_cursor(to_cursor(PLACE, LISTING), replace(LISTING, limit=3, now=5)) == PLACE


@pytest.mark.parametrize(
    "other",
    [
        replace(LISTING, user_id="Ada"),
        replace(LISTING, order="-created_at"),
        replace(LISTING, filter=Filter()),
        replace(LISTING, filter=replace(LISTING.filter, created_from=0)),
    ],
)
def test_another_list_is_refused(other: Listing) -> None:
    with pytest.raises(BadCursor, match="of another list"):
        from_cursor(to_cursor(PLACE, other), LISTING)


def written(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "====",
        to_cursor(PLACE, LISTING)[:-3],
        written(1, "x", 5),
        written(2, "x", 5, PLACE.id),
        written(1, "x", True, PLACE.id),
        written(1, "x", 2**60, PLACE.id),
        written(1, "x", 5.5, PLACE.id),
        written(1, "x", 5, PLACE.id.upper()),
        written(1, "x", 5, "*"),
        written(1, "x", 5, None),
        written(1, "x", 5, PLACE.id),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        from_cursor(text, LISTING)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_refused_and_no_more(text: str) -> None:
    with pytest.raises(BadCursor):
        from_cursor(text, LISTING)
