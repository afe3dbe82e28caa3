"""Hold-back: a classified record waits until `memories` has been applied up to its origin, and until it has no memory
before it that is new. Pure."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hybrid_memory.schemas import Record
from hybrid_memory.sink.decode import Dead
from hybrid_memory.sink.terms import AnyFact, Null

Read = Callable[[Record], tuple[AnyFact | None, Dead | None]]
"""What a record says: a fact, or its dead letter, or both; neither where there is nothing to apply."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record of `memories.classified`, and what it says."""

    record: Record
    fact: AnyFact | None
    dead: Dead | None = None


class HoldBack:
    """The held records of each partition, in order. What is held stays in memory: pause a partition that holds many.

    A record is read when it has come to the front, since hundreds that are read at once would hold a memory up.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._queues: dict[int, deque[Record]] = {}
        self._fronts: dict[int, Held] = {}

    def hold(self, record: Record) -> None:
        """Take a record in, behind those of its partition that wait already."""
        self._queues.setdefault(record.partition, deque()).append(record)

    def release(self, memories: Mapping[int, int], most: int) -> Iterator[Held]:
        """Let go of at most so many whose origin is before the position of `memories` in their partition: of each
        partition in order, and of one partition after another in turn."""
        left = most
        while ready := [number for number in self._queues if self._is_ready(number, memories)]:
            for number in ready:
                if left == 0:
                    return
                left -= 1
                yield self.drop(number)

    def first(self) -> dict[int, Record]:
        """The first held record of each partition that holds any: its position moves no further than this."""
        return {partition: queue[0] for partition, queue in self._queues.items() if queue}

    def waiting(self, memories: Mapping[int, int]) -> dict[int, AnyFact]:
        """Those of the first held facts whose memory is still to be applied."""
        waiting = {}
        for partition in self.first():
            fact = self._front(partition).fact
            if fact is not None and not _is_applied(fact, partition, memories):
                waiting[partition] = fact
        return waiting

    def number(self, partition: int) -> int:
        """How many are held of a partition."""
        return len(self._queues.get(partition, ()))

    def drop(self, partition: int) -> Held:
        """Take out the first held record of a partition."""
        held = self._front(partition)
        self._queues[partition].popleft()
        del self._fronts[partition]
        return held

    def _is_ready(self, partition: int, memories: Mapping[int, int]) -> bool:
        if not self._queues[partition]:
            return False
        fact = self._front(partition).fact
        return fact is None or _is_applied(fact, partition, memories)

    def _front(self, partition: int) -> Held:
        if partition not in self._fronts:
            record = self._queues[partition][0]
            self._fronts[partition] = Held(record, *self._read(record))
        return self._fronts[partition]


def _is_applied(fact: AnyFact, partition: int, memories: Mapping[int, int]) -> bool:
    return isinstance(fact, Null) or fact.seq < memories.get(partition, 0)
