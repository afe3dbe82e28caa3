"""The use cases that read before they write: an edit, the deletion of a version, and that of all that a user has.

They only append to the log; the index learns of it from there.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from hybrid_memory.index.listing import Listing
from hybrid_memory.index.points import Point
from hybrid_memory.ingest.inserting import Trace, to_record
from hybrid_memory.ingest.ports import Outcome, Waiter, Writer
from hybrid_memory.query.searching import Searcher
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.schemas import Memory, MemoryDeleted, MemoryEvent, Position

_AT_ONCE = 500


class NotCaughtUp(Exception):  # noqa: N818
    """The index does not show yet what the log holds."""


class NotAllDeleted(Exception):  # noqa: N818
    """The log did not take every deletion; `deleted` says how many it took."""

    def __init__(self, deleted: int, cause: Exception) -> None:
        super().__init__(str(cause))
        self.deleted, self.cause = deleted, cause


@dataclass(frozen=True, slots=True)
class Edited:
    """An edit that is in the log at `position`. `shown` is what the index shows of the memory now, and `won` whether
    that is, or was, this edit's doing; None where the index does not show the edit yet.
    """

    position: Position
    won: bool | None = None
    shown: Point | None = None


@dataclass(frozen=True, slots=True)
class Emptied:
    """So many deletions are in the log, the last of each partition at `positions`."""

    deleted: int
    positions: list[Position]
    applied: bool


@dataclass(frozen=True, slots=True)
class Editing:
    """Over its ports. `log_end` tells the last position of each partition; `wait_s` bounds the waits for the index."""

    searcher: Callable[[], Searcher]
    writer: Writer
    waiter: Waiter
    log_end: Callable[[], Awaitable[list[Position]]]
    wait_s: float

    async def edit(self, before: Point, memory: Memory, trace: Trace, wait: bool) -> Edited:
        """Append the memory as it shall be, if nothing else is said of it since `before`.

        Raises:
            Unavailable: it may or may not have been written.
            Refusal: it was not.
        """
        position = await self._append_one(memory, trace, before.seq)
        if not wait or not await self._applied([position]):
            return Edited(position)
        shown = await self.searcher().get(memory.user_id, memory.memory_id, expired=True)
        return Edited(position, shown is not None and _is_doing_of(shown, position), shown)

    async def delete(self, before: Point, deletion: MemoryDeleted, trace: Trace, wait: bool) -> Edited:
        """Append the deletion, if nothing else is said of the memory since `before`. Raises as `edit`."""
        position = await self._append_one(deletion, trace, before.seq)
        if not wait or not await self._applied([position]):
            return Edited(position)
        shown = await self.searcher().get(deletion.user_id, deletion.memory_id, expired=True)
        return Edited(position, shown is None, shown)

    async def delete_all(self, user_id: str, trace: Trace, wait: bool) -> Emptied:
        """Append a null for every memory that was durable when this began, expired ones too.

        Raises:
            NotCaughtUp: the index does not show yet what the log holds; nothing was deleted.
            NotAllDeleted: the log did not take them all.
            Unavailable: Kafka or the index is away; nothing was deleted.
        """
        if not await self.waiter.wait(await self.log_end(), self.wait_s):
            raise NotCaughtUp
        landed: list[Position] = []
        async for page in self._pages(user_id):
            landed += await self._delete(page, trace, len(landed))
        last = {position.partition: position for position in landed}
        positions = [last[number] for number in sorted(last)]
        return Emptied(len(landed), positions, wait and await self._applied(positions))

    async def _pages(self, user_id: str) -> AsyncIterator[list[Point]]:
        """Newest first: what is written meanwhile comes before the place that we have reached."""
        listing = Listing(user_id, _AT_ONCE)
        while True:
            points, end = await self.searcher().page(listing)
            yield points
            if end is None:
                return
            listing = replace(listing, after=end)

    async def _delete(self, points: Sequence[Point], trace: Trace, deleted: int) -> list[Position]:
        memories = [point.memory for point in points if point.memory is not None]
        events = [MemoryDeleted(user_id=memory.user_id, memory_id=memory.memory_id) for memory in memories]
        outcomes = await self.writer.append([to_record(event, trace) for event in events])
        landed = [outcome for outcome in outcomes if isinstance(outcome, Position)]
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise NotAllDeleted(deleted + len(landed), outcome)
        return landed

    async def _append_one(self, event: MemoryEvent, trace: Trace, if_seq: int) -> Position:
        outcome: Outcome = (await self.writer.append([to_record(event, trace, if_seq)]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _applied(self, positions: Sequence[Position]) -> bool:
        # What is written is durable whatever happens here, so the reply must say so.
        try:
            return await self.waiter.wait(positions, self.wait_s)
        except Unavailable:
            return False


def _is_doing_of(shown: Point, position: Position) -> bool:
    """Whether this edit made what is shown, or something that another edit has been built on since.

    Not by the point's own seq: the sink appends the present state again when it refuses a later record, and a record
    that says the same as the edit which won is applied too. Such a repetition tells nothing by its condition either.
    """
    built_on = shown.condition if shown.since == shown.seq else None
    return position.offset in (shown.since, built_on)
