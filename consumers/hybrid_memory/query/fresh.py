"""Read your writes: a search that waits until the index shows what the caller has written."""

from dataclasses import dataclass

from hybrid_memory.runtime.http import FieldProblem, Problem
from hybrid_memory.schemas import Position
from hybrid_memory.sink.applied import Applied


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether a search sees the writes that were asked for, and up to where it sees their partitions of the log."""

    fresh: bool
    searched: list[Position]


async def wait_until_shown(applied: Applied, positions: list[Position], timeout_s: float) -> Seen:
    """Wait until the index has applied these writes, at most `timeout_s` seconds.

    Raises:
        Problem: 422 a position is of another log, so the wait could never end; 503 the index does not follow one yet.
    """
    if not positions:
        return Seen(True, [])
    if not applied.topic_id:
        raise Problem.away("not ready: it is not known yet which log the index follows", 2)
    if any(position.topic_id != applied.topic_id for position in positions):
        raise Problem.invalid([FieldProblem("position", "this position is of another log than the index follows")])
    fresh = await applied.wait(positions, timeout_s)
    ends = (applied.up_to(number) for number in sorted({position.partition for position in positions}))
    return Seen(fresh, [end for end in ends if end is not None])
