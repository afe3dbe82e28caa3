"""What is to be published of a point of Mem0's store. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hybrid_memory.client.delivery import Outcome
from hybrid_memory.client.errors import NotDelivered
from hybrid_memory.mem0.mapping import Rule, is_gone, to_memory, user_of
from hybrid_memory.mem0.oss.outbox import Row
from hybrid_memory.mem0.states import from_store
from hybrid_memory.schemas import MemoryDeleted, MemoryEvent


def present_event(memory_id: str, payload: Mapping[str, Any], rule: Rule, now: datetime) -> MemoryEvent:
    """What a memory that the store holds is here; one that Mem0 would not show any more is a deleted one.

    Raises:
        ValueError: it cannot be a memory here; `Unmappable` says why.
    """
    state = from_store(memory_id, payload)
    if is_gone(state, rule, now):
        return MemoryDeleted(user_id=user_of(state.scope, rule), memory_id=memory_id)
    return to_memory(state, rule)


def deleted_event(memory_id: str, before: Mapping[str, Any], rule: Rule) -> MemoryEvent:
    """That a memory which was like that is gone.

    Raises:
        ValueError: as `present_event`.
    """
    return MemoryDeleted(user_id=user_of(from_store(memory_id, before).scope, rule), memory_id=memory_id)


def confirmed(rows: Sequence[Row], outcomes: Iterable[Outcome]) -> list[int]:
    """The numbers of those that need not be sent again. After one that failed, what is later of its memory has to
    follow it again."""
    stuck: set[str] = set()
    done = []
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, NotDelivered):
            stuck.add(row.change.memory_id)
        if row.change.memory_id not in stuck:
            done.append(row.seq)
    return done
