"""What the log holds of one open-source Mem0."""

from collections.abc import Iterator

from hybrid_memory.mem0.mapping import SOURCE, origin_of
from hybrid_memory.mem0.there import There
from hybrid_memory.schemas import Memory

_CHUNK = 1000


class Known(There):
    """`There`, and which memories those are: none that does not say where it is from."""

    def memory_ids(self) -> Iterator[str]:
        """The ids of all that is not deleted; the log may be read on meanwhile."""
        query = "SELECT DISTINCT memory FROM held WHERE print IS NOT NULL AND memory > ? ORDER BY memory LIMIT ?"
        last = ""
        while found := [memory_id for (memory_id,) in self._db.execute(query, (last, _CHUNK))]:
            yield from found
            last = found[-1]

    def _is_ours(self, memory: Memory) -> bool:
        return memory.source == SOURCE and origin_of(memory) == self.rule.origin
