"""Which hints an answer of Mem0's covers: all of its memory that were there before the question. Pure."""

from collections import OrderedDict

_MOST = 50_000


class Asked:
    """Of which memories Mem0 was asked, since some partitions of `mem0.hints` became ours. Bounded: what it forgets is
    asked again."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._ends: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def begin(self, partition: int) -> None:
        """A partition is ours; its topic may have been made anew, so nothing that we know of it holds."""
        for mem0_id in [mem0_id for mem0_id, (of, _) in self._ends.items() if of == partition]:
            del self._ends[mem0_id]

    def note(self, mem0_id: str, partition: int, end: int) -> None:
        """Mem0 said how this memory is, and was asked when its hints ended there. What it said will be published before
        any of them is committed."""
        self._ends[mem0_id] = (partition, end)
        self._ends.move_to_end(mem0_id)
        if len(self._ends) > self._most:
            self._ends.popitem(last=False)

    def covers(self, mem0_id: str, partition: int, offset: int) -> bool:
        """Whether a hint tells nothing that Mem0 was not asked after it was written."""
        of, end = self._ends.get(mem0_id, (partition, 0))
        return of == partition and offset < end
