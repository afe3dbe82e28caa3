"""Both shapes of a webhook are taken, and nothing that a body holds is believed or repeated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.webhook_body import NoHint, hints_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["event_details", "id", "memory_id", "event", "x"]), inner, max_size=4)
    ),
    max_leaves=10,
)
DOCUMENTED = [
    {"event_details": {"id": "a-1", "data": {"memory": "Name is Alex"}, "event": "ADD"}},
    {"event_details": {"id": "a-1", "data": {"memory": "Name is Alex"}, "event": "DELETE"}},
    {"event_details": {"event": "CATEGORIZE", "memory_id": "a-1", "categories": ["hobbies"]}},
    {"event": "memory_add", "memory_id": "a-1", "memory": "Name is Alex", "timestamp": "2026-08-01T00:00:00Z"},
]


@pytest.mark.parametrize("body", DOCUMENTED)
def test_the_documented_shapes(body: dict[str, Any]) -> None:
    [found] = hints_of(body)
    assert (found.mem0_id, found.door, found.scope) == ("a-1", "webhook", None)


def test_the_owner_is_kept_where_it_is_told() -> None:
    [found] = hints_of({"event": "memory_add", "memory_id": "a-1", "user_id": "maya", "agent_id": 7})
    assert found.scope is not None
    assert found.scope.model_dump(exclude_none=True) == {"user_id": "maya"}


def test_several_in_one_call_are_each_hinted_at_once() -> None:
    body = [{"event_details": [{"id": "a", "event": "ADD"}, {"id": "b", "event": "ADD"}]}, {"memory_id": "a"}]
    assert [found.mem0_id for found in hints_of(body)] == ["a", "b"]


@pytest.mark.parametrize("event", ["ingest_job_completed", "INGEST_JOB_FAILED"])
def test_a_job_is_no_memory(event: str) -> None:
    assert hints_of({"event_details": {"id": "job-1", "event": event}}) == []
    assert hints_of({"event": event, "id": "job-1"}) == []


@pytest.mark.parametrize(
    "body", [None, 7, "a-1", {}, [], {"event_details": {}}, {"id": 7}, {"id": "../../users"}, {"memory_id": "a b"}]
)
def test_what_names_no_memory_is_refused_without_repeating_it(body: Any) -> None:
    with pytest.raises(NoHint) as error:
        hints_of(body)
    assert "users" not in str(error.value)


def test_no_call_makes_more_than_so_many_hints() -> None:
    with pytest.raises(NoHint, match="more than 1000"):
        hints_of([{"id": f"a{number}"} for number in range(1001)])


@given(JSON)
def test_whatever_comes_is_hints_or_refused(body: Any) -> None:
    try:
        found = hints_of(body)
    except NoHint:
        return
    assert len({one.mem0_id for one in found}) == len(found)
