"""Whether what a bulk read found may be believed, or a hint came since that calls for another question. Pure."""

from collections import OrderedDict

from hybrid_memory.schemas.mem0 import Mem0Hint

_MOST = 200_000


class Heard:
    """The hints that were taken from some partitions since they became ours. Bounded: what it forgets, it does not
    vouch for."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._last: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._floor: dict[int, int] = {}

    def begin(self, partition: int) -> None:
        """A partition is ours from its next hint on; what others took from it is not known."""
        self._floor.pop(partition, None)

    def note(self, partition: int, offset: int, hint: Mem0Hint) -> bool:
        """A hint was taken. Whether the read that it carries covers all that was hinted of its memory before."""
        floor = self._floor.setdefault(partition, offset)
        last = self._last.get(hint.mem0_id, (partition, -1))[1]
        believed = hint.read is not None and max(floor, last + 1) <= hint.read.hints_end <= offset
        if hint.read is None:
            self._remember(partition, offset, hint.mem0_id)
        return believed

    def _remember(self, partition: int, offset: int, mem0_id: str) -> None:
        self._last[mem0_id] = (partition, offset)
        self._last.move_to_end(mem0_id)
        while len(self._last) > self._most:
            _, (of, forgotten) = self._last.popitem(last=False)
            self._floor[of] = max(self._floor.get(of, 0), forgotten + 1)
