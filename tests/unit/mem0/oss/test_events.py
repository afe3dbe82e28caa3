"""What is published of Mem0's points, and what has to be sent again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.client import NotDelivered
from hybrid_memory.client.delivery import Outcome
from hybrid_memory.mem0.mapping import Rule, Unmappable
from hybrid_memory.mem0.oss.events import confirmed, deleted_event, present_event
from hybrid_memory.mem0.oss.outbox import Change, Row
from hybrid_memory.mem0.oss.recording import upserted
from hybrid_memory.schemas import Memory, MemoryDeleted, Position

RULE = Rule("oss:mem0")
NOW = datetime(2026, 8, 1, tzinfo=UTC)
LANDED = Position(topic_id="t", partition=0, offset=1)
FAILED = NotDelivered(MemoryDeleted(user_id="u", memory_id="m"), "Kafka is away", retriable=True)


def test_a_point_is_a_memory_of_its_owner() -> None:
    payload = {"data": "likes tea", "user_id": "maya", "hash": "x", "text_lemmatized": "like tea", "trip": 7}
    event = present_event("m1", payload, RULE, NOW)
    assert isinstance(event, Memory)
    assert (event.user_id, event.memory_id, event.text) == ("maya", "m1", "likes tea")
    assert event.metadata == {"trip": 7, "mem0": {"origin": "oss:mem0", "user_id": "maya"}}
    assert deleted_event("m1", payload, RULE) == MemoryDeleted(user_id="maya", memory_id="m1")


def test_what_mem0_would_not_show_any_more_is_deleted() -> None:
    payload = {"data": "was here", "agent_id": "guide", "expiration_date": "2026-07-01"}
    assert present_event("m1", payload, RULE, NOW) == MemoryDeleted(user_id="agent:guide", memory_id="m1")


@pytest.mark.parametrize("payload", [{}, {"data": "nobody's"}, {"data": "x" * 20_000, "user_id": "maya"}])
def test_what_cannot_be_a_memory_says_so(payload: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is no memory's|has no user_id|text"):
        present_event("m1", payload, RULE, NOW)
    assert issubclass(Unmappable, ValueError)


def test_a_payload_that_json_cannot_say_stops_nobody() -> None:
    round_and_round: dict[str, object] = {"data": "text"}
    round_and_round["again"] = round_and_round
    assert upserted("m1", round_and_round).record == "{}"
    assert (
        upserted("m1", {"data": "\ud800", "at": NOW}).record == '{"data": "\\ud800", "at": "2026-08-01 00:00:00+00:00"}'
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_of_each_memory_what_is_done_comes_before_what_is_sent_again(attempts: list[tuple[str, bool]]) -> None:
    rows = [Row(seq, Change(memory_id, False, "{}")) for seq, (memory_id, _) in enumerate(attempts)]
    outcomes: list[Outcome] = [LANDED if landed else FAILED for _, landed in attempts]
    done = set(confirmed(rows, outcomes))
    for memory_id in "abc":
        own = [row.seq for row in rows if row.change.memory_id == memory_id]
        failed = next((seq for seq in own if not attempts[seq][1]), None)
        assert done & set(own) == {seq for seq in own if failed is None or seq < failed}
