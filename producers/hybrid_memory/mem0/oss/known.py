"""What the log holds of one open-source Mem0."""

from collections.abc import Iterator

from hybrid_memory.mem0.there import There

_CHUNK = 1000


class Known(There):
    """`There`, and which memories those are."""

    def memory_ids(self) -> Iterator[str]:
        """The ids of all that is not deleted; the log may be read on meanwhile."""
        query = "SELECT DISTINCT memory FROM held WHERE print IS NOT NULL AND memory > ? ORDER BY memory LIMIT ?"
        last = ""
        while found := [memory_id for (memory_id,) in self._db.execute(query, (last, _CHUNK))]:
            yield from found
            last = found[-1]
