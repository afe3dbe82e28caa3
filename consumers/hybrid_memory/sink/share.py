"""Several sinks on one index: a consumer group gives each a share of the partitions.

The group only says who has which partition numbers of `memories`; nothing is read through it. Each sink reads those
numbers of *both* topics by hand, from the positions in the index: so a memory and its facts, which have one partition
number, are always with one sink, and committed offsets decide nothing.

Handing over: a partition is only let go between two batches, when all that was read has been applied and its position
is in the index; the next owner asks the index for positions after the group gave it the partition. A sink that dies in
the middle of a batch leaves the position before it, and the batch is applied again.

A zombie, which was stopped for so long that the group has given its partitions away, may wake up in the middle of a
batch. It does no harm: the index refuses a point that is older than the stored one, by seq and by rank within a seq;
what it puts on the log is either under `hm-if-seq` or says what the other sink says too; and a position never moves
back. Where it moves one forward, it has applied all before it, so that is true whoever says it.
"""

import logging
from collections.abc import Mapping

from hybrid_memory.index.store import TopicPartition as Place
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.membership import Membership
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record
from hybrid_memory.sink.reader import LogReader
from hybrid_memory.sink.state import Reassigned

_LOG = logging.getLogger(__name__)


def join(settings: Settings, group: str, topic: TopicInfo) -> Membership:
    """A place in the group that shares an index. `check` it only when no batch is pending."""
    return Membership(settings, group, topic, _tell)


def _tell(partitions: frozenset[int]) -> None:
    _LOG.info("the share of this sink is now %s", sorted(partitions) or "empty")


class SharedReader(LogReader):
    """Reads the share that a membership has now; over once that changes."""

    def __init__(
        self, settings: Settings, member: Membership, topics: tuple[TopicInfo, ...], start: Mapping[Place, int]
    ) -> None:
        self._member = member
        self._share = member.partitions
        super().__init__(settings, member.group, topics, start, self._share)

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """As :meth:`LogReader.poll`.

        Raises:
            LogMoved: as there.
            Reassigned: the share is another now; nothing has been read.
        """
        if self._member.check() != self._share:
            raise Reassigned("the group has given this sink another share of the partitions")
        return super().poll(limit, timeout)

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Only a member may commit for its group, so the membership does."""
        self._member.commit(positions)
