"""What is wrong with a search or a list is said in one sentence, at the field that the caller wrote."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from hybrid_memory.query.filtering import FilterBody, ListParams
from hybrid_memory.query.user_search import UserSearch

PLUS = "a + arrives as a blank: write it as %2B, or the moment in UTC, with Z"
SCALAR = "a text, a number, true, false or null is needed"
POSITION = "a position is the topic's id, the partition and the offset, as a reply has it: lf_yisXBTk6U6AqTfBcpcA:0:17"


def faults(model: type[BaseModel], **fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


@pytest.mark.parametrize("field", ["created_from", "created_to"])
@given(st.datetimes(), st.integers(0, 23), st.sampled_from([":00", "30"]))
def test_a_plus_that_was_not_encoded(field: str, moment: Any, hours: int, minutes: str) -> None:
    written = f"{moment.isoformat()} {hours:02}{minutes}"
    assert faults(ListParams, **{field: written}) == [(field, PLUS)]


@pytest.mark.parametrize("written", ["2026-01-31 12:00", "2026-01-31", "12:00", ""])
def test_another_moment_is_not_mistaken_for_it(written: str) -> None:
    [(_, message)] = faults(ListParams, created_from=written)
    assert message != PLUS


def test_a_moment_in_two_parts_is_one() -> None:
    assert ListParams.model_validate({"created_from": "2026-01-31 12:00Z"}).created_from is not None


@pytest.mark.parametrize("value", [[1], {}, {"a": 1}, float("nan")])
def test_metadata_that_no_filter_has(value: Any) -> None:
    assert faults(FilterBody, metadata={"a": value, "b": 1}) == [("metadata.a", SCALAR)]


@pytest.mark.parametrize("value", ["x", 1, 1.5, True, None])
def test_metadata_that_is_what_it_was(value: Any) -> None:
    kept = FilterBody(metadata={"a": value}).metadata["a"]
    assert (kept, type(kept)) == (value, type(value))


@pytest.mark.parametrize("wrong", ["banana", "", "a:1", "a:1:1\n", "a:-1:1", 7, None, {}])
def test_what_is_no_position(wrong: Any) -> None:
    assert faults(UserSearch, context="x", position=wrong) == [("position", POSITION)]
    assert faults(UserSearch, context="x", position=["a:1:1", wrong]) == [("position.1", POSITION)]


def test_one_position_or_many() -> None:
    assert UserSearch(context="x", position="a:1:1").position == ["a:1:1"]  # type: ignore[arg-type]
    assert UserSearch(context="x", position=["a:1:1", "b:2:2"]).position == ["a:1:1", "b:2:2"]
    assert [field for field, _ in faults(UserSearch, context="x", position=["a:1:1"] * 1001)] == ["position"]
