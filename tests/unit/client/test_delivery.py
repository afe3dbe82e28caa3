"""Many in flight, never too many, and nothing silently lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hybrid_memory.client import Memory, NotDelivered, Position, SomeNotDelivered
from hybrid_memory.client.delivery import Outcome, all_added, deliver
from hybrid_memory.client.events import to_record, w3c_headers
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.schemas import MemoryEvent, NewRecord

if TYPE_CHECKING:
    from tests.unit.client.conftest import Log

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def memories(count: int) -> list[Memory]:
    return [Memory.new(user_id="u", text=f"memory {i}") for i in range(count)]


def tagged(some: list[Memory]) -> Iterator[tuple[int, MemoryEvent, NewRecord]]:
    return ((i, memory, to_record(memory)) for i, memory in enumerate(some))


def offsets(outcomes: list[tuple[int, Outcome]]) -> list[tuple[int, int]]:
    return [(tag, landed.offset) for tag, landed in outcomes if isinstance(landed, Position)]


@pytest.mark.parametrize("in_flight", [1, 2, 7, 100])
@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_all_arrive_in_order(log: Log, count: int, in_flight: int) -> None:
    assert offsets(list(deliver(log, tagged(memories(count)), in_flight))) == [(i, i) for i in range(count)]


def test_no_more_than_in_flight_wait(log: Log) -> None:
    log.by_hand = True
    reached: list[int] = []

    def source() -> Iterator[tuple[int, MemoryEvent, NewRecord]]:
        for item in tagged(memories(10)):
            unsettled = sum(not future.done() for future in log.futures)
            reached.append(unsettled)
            if unsettled == 2:  # with this one the window is full: let the oldest settle
                log.settle(item[0] - 2)
            yield item

    outcomes = deliver(log, source(), in_flight=3)
    assert offsets([next(outcomes) for _ in range(8)]) == [(i, i) for i in range(8)]
    assert max(reached) == 2
    assert len(log.records) == 10


def test_what_is_settled_is_told_before_more_is_read(log: Log) -> None:
    read: list[int] = []

    def source() -> Iterator[tuple[int, MemoryEvent, NewRecord]]:
        for item in tagged(memories(3)):
            read.append(item[0])
            yield item

    outcomes = deliver(log, source(), in_flight=100)
    next(outcomes)
    assert read == [0]


def test_failures_of_either_kind_come_with_the_memory(log: Log) -> None:
    some = memories(4)
    log.fails = lambda n: Unavailable("away") if n == 1 else None
    log.raises = lambda n: Refusal("too large") if n == 2 else None
    outcomes = [landed for _, landed in deliver(log, tagged(some))]
    assert [isinstance(landed, Position) for landed in outcomes] == [True, False, False, True]
    away, large = outcomes[1:3]
    assert isinstance(away, NotDelivered)
    assert isinstance(large, NotDelivered)
    assert (away.memory, away.reason, away.retriable) == (some[1], "away", True)
    assert (large.memory, large.reason, large.retriable) == (some[2], "too large", False)
    assert some[1].memory_id in str(away)


def test_an_error_of_our_own_is_not_swallowed(log: Log) -> None:
    log.fails = lambda n: ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        list(deliver(log, tagged(memories(1))))


def test_some_not_delivered_accounts_for_all(log: Log) -> None:
    some = memories(5)
    log.fails = lambda n: Unavailable("away") if n in (1, 3) else None
    outcomes = [landed for _, landed in deliver(log, tagged(some))]
    with pytest.raises(SomeNotDelivered, match=r"^2 of 5 memories were not delivered; the first: .*away") as caught:
        all_added(some, outcomes)
    assert [(failure.index, failure.error.memory) for failure in caught.value.failed] == [(1, some[1]), (3, some[3])]
    assert {i: added.position.offset for i, added in caught.value.added.items()} == {0: 0, 2: 2, 4: 4}
    assert [added.memory_id for added in caught.value.added.values()] == [some[i].memory_id for i in (0, 2, 4)]


def test_the_trace_is_handed_on() -> None:
    assert ("traceparent", PARENT.encode()) in to_record(memories(1)[0], PARENT).headers
    assert list(w3c_headers(PARENT, "a=b")) == [("traceparent", PARENT.encode()), ("tracestate", b"a=b")]


@pytest.mark.parametrize(
    "bad", [None, "", "00", PARENT.upper(), f"ff{PARENT[2:]}", f"{PARENT}\n", PARENT.replace("0af", "\u0660af")]
)
def test_a_trace_that_is_not_well_formed_is_left_out(bad: str | None) -> None:
    assert list(w3c_headers(bad, "a=b")) == []


@pytest.mark.parametrize("state", [None, "", "x" * 513, "ä"])
def test_a_bad_tracestate_is_left_out(state: str | None) -> None:
    assert list(w3c_headers(PARENT, state)) == [("traceparent", PARENT.encode())]
