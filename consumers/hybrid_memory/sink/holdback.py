"""Hold-back: a classified record waits until `memories` has been applied up to its origin. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hybrid_memory.schemas import Record
from hybrid_memory.sink.terms import Fact


@dataclass(frozen=True, slots=True)
class Held:
    """A fact and its own record in `memories.classified`."""

    record: Record
    fact: Fact


@dataclass(slots=True)
class HoldBack:
    """The held facts of each partition, in order. A partition that holds any takes no new records: pause it."""

    _queues: dict[int, deque[Held]] = field(default_factory=dict)

    def hold(self, held: Held) -> None:
        """Take a fact in, behind those of its partition that wait already."""
        self._queues.setdefault(held.record.partition, deque()).append(held)

    def release(self, memories: Mapping[int, int]) -> Iterator[Held]:
        """Let go of those, in order, whose origin is before the position of `memories` in their partition."""
        for partition, queue in self._queues.items():
            while queue and queue[0].fact.event.seq < memories.get(partition, 0):
                yield queue.popleft()

    def first(self) -> dict[int, Held]:
        """The first held fact of each partition that holds any: its position moves no further than this."""
        return {partition: queue[0] for partition, queue in self._queues.items() if queue}

    def drop(self, partition: int) -> Held:
        """Take out the first held fact of a partition: it will never be ready."""
        return self._queues[partition].popleft()
