"""Hold-back: a classified record waits until `memories` has been applied up to its origin, and until it has no memory
before it that is new. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hybrid_memory.schemas import Record
from hybrid_memory.sink.decode import Dead
from hybrid_memory.sink.terms import Fact, UnreadableFact


@dataclass(frozen=True, slots=True)
class Held:
    """A fact and its own record in `memories.classified`; where nobody can read it, its dead letter too."""

    record: Record
    fact: Fact | UnreadableFact
    dead: Dead | None = None


@dataclass(slots=True)
class HoldBack:
    """The held facts of each partition, in order. What is held stays in memory: pause a partition that holds many."""

    _queues: dict[int, deque[Held]] = field(default_factory=dict)

    def hold(self, held: Held) -> None:
        """Take a fact in, behind those of its partition that wait already."""
        self._queues.setdefault(held.record.partition, deque()).append(held)

    def release(self, memories: Mapping[int, int], most: int) -> Iterator[Held]:
        """Let go of at most so many whose origin is before the position of `memories` in their partition: of each
        partition in order, and of one partition after another in turn."""
        left = most
        while ready := [queue for queue in self._queues.values() if queue and _is_ready(queue[0], memories)]:
            for queue in ready:
                if left == 0:
                    return
                left -= 1
                yield queue.popleft()

    def first(self) -> dict[int, Held]:
        """The first held fact of each partition that holds any: its position moves no further than this."""
        return {partition: queue[0] for partition, queue in self._queues.items() if queue}

    def waiting(self, memories: Mapping[int, int]) -> dict[int, Held]:
        """Those of the first held facts whose memory is still to be applied."""
        return {partition: held for partition, held in self.first().items() if not _is_ready(held, memories)}

    def number(self, partition: int) -> int:
        """How many are held of a partition."""
        return len(self._queues.get(partition, ()))

    def drop(self, partition: int) -> Held:
        """Take out the first held fact of a partition: it will never be ready."""
        return self._queues[partition].popleft()


def _is_ready(held: Held, memories: Mapping[int, int]) -> bool:
    return held.fact.seq < memories.get(held.record.partition, 0)
