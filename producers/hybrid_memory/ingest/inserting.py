"""The use cases: write, wait, and say what is so. Knows nothing of HTTP but its words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hybrid_memory.client.events import w3c_headers
from hybrid_memory.ingest.bodies import Added, Deleted, Item
from hybrid_memory.ingest.ports import Describe, Look, Outcome, Shown, Waiter, Writer
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.schemas import Memory, MemoryDeleted, MemoryEvent, NewRecord, Position, encode_memory

_SOURCE = "urn:hybrid-memory:ingest"


@dataclass(frozen=True, slots=True)
class Trace:
    """The W3C trace context of a request."""

    parent: str | None = None
    state: str | None = None

    def headers(self) -> Iterable[tuple[str, bytes]]:
        return w3c_headers(self.parent, self.state)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The write side of the API, over its ports.

    `wait_s` bounds how long a write waits until it is searchable. `expect_stream`: whether a model is expected to
    improve on the rules' classifiers. `look`, where there is one, tells what the index shows of a memory that was
    waited for; the others are described by their key words.
    """

    writer: Writer
    waiter: Waiter
    describe: Describe
    wait_s: float
    expect_stream: bool
    look: Look | None = None

    async def add(self, memory: Memory, trace: Trace, wait: bool) -> Added:
        """Write a memory.

        Raises:
            Unavailable: it may or may not have been written.
            Refusal: it was not.
        """
        position = await self._write(memory, trace)
        searchable = wait and await self._applied([position], self.wait_s) and not _expired(memory)
        shown = await self._shown(memory, searchable)
        return Added(
            memory_id=memory.memory_id,
            position=str(position),
            topic=shown.topic,
            classifiers=list(shown.classifiers),
            classifier_source=shown.source,
            async_improvement=self.expect_stream and shown.source != "provided",
            searchable=searchable,
        )

    async def add_all(self, memories: Sequence[Memory], trace: Trace, wait: bool) -> tuple[list[Item], list[Outcome]]:
        """Write memories; what became of each, for the caller and in full."""
        outcomes = list(await self.writer.append([to_record(memory, trace) for memory in memories]))
        positions = [outcome for outcome in outcomes if isinstance(outcome, Position)]
        searchable = await self._which_applied(positions) if wait and positions else set()
        return [_item(m, outcome, searchable) for m, outcome in zip(memories, outcomes, strict=True)], outcomes

    async def delete(self, deletion: MemoryDeleted, trace: Trace, wait: bool) -> Deleted:
        """Write a deletion. Raises as `add`."""
        position = await self._write(deletion, trace)
        applied = wait and await self._applied([position], self.wait_s)
        return Deleted(memory_id=deletion.memory_id, position=str(position), applied=applied)

    async def _write(self, event: MemoryEvent, trace: Trace) -> Position:
        outcome = (await self.writer.append([to_record(event, trace)]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _shown(self, memory: Memory, searchable: bool) -> Shown:
        """What the index shows of the memory; where it was not waited for, what key words say of it."""
        known = await self.look(memory.user_id, memory.memory_id) if self.look is not None and searchable else None
        if known is not None:
            return known
        classifiers, topic = self.describe(memory.text)
        if memory.classifiers is not None:
            return Shown(memory.classifiers, memory.topic or topic, "provided")
        return Shown(classifiers, memory.topic or topic, "heuristic")

    async def _which_applied(self, positions: Sequence[Position]) -> set[Position]:
        if await self._applied(positions, self.wait_s):
            return set(positions)
        return {position for position in positions if await self._applied([position], 0)}

    async def _applied(self, positions: Sequence[Position], timeout_s: float) -> bool:
        # The write is durable whatever happens here, so the reply must say so.
        try:
            return await self.waiter.wait(positions, timeout_s)
        except Unavailable:
            return False


def to_record(event: MemoryEvent, trace: Trace, if_seq: int | None = None) -> NewRecord:
    """The record of an event that came by HTTP; with `if_seq`, of an edit."""
    return encode_memory(event, if_seq=if_seq, source=_SOURCE, trace=trace.headers())


def _item(memory: Memory, outcome: Outcome, searchable: set[Position]) -> Item:
    landed = isinstance(outcome, Position)
    return Item(
        status="success" if landed else "error",
        memory_id=memory.memory_id,
        position=str(outcome) if landed else None,
        searchable=outcome in searchable and not _expired(memory),
    )


def _expired(memory: Memory) -> bool:
    # Written all the same: another system's past may be imported, and hidden so is what this id was before.
    return memory.expires_at is not None and memory.expires_at <= datetime.now(UTC)
