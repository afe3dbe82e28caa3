"""A fair sample of a stream whose length nobody knows: the same seed chooses the same memories, in whatever order they
come. Pure."""

import heapq
from hashlib import blake2b

from hybrid_memory.replay.churn import Change
from hybrid_memory.schemas import memory_key


class Sample:
    """Keeps `size` of the changes that it is shown: those whose keys hash lowest with the seed."""

    def __init__(self, size: int, seed: int = 7) -> None:
        self._size = size
        self._seed = seed.to_bytes(8, "big", signed=True)
        self._kept: list[tuple[int, str, Change]] = []

    def add(self, change: Change) -> None:
        """Consider one memory. Each memory is to be shown once."""
        key = memory_key(change.user_id, change.memory_id)
        digest = blake2b(key.encode(), digest_size=8, key=self._seed).digest()
        entry = (-int.from_bytes(digest, "big"), key, change)
        if len(self._kept) < self._size:
            heapq.heappush(self._kept, entry)
        elif self._kept and entry[:2] > self._kept[0][:2]:
            heapq.heapreplace(self._kept, entry)

    def chosen(self) -> list[Change]:
        """The sample, in the order of its hashes."""
        return [change for _, _, change in sorted(self._kept, key=lambda entry: (-entry[0], entry[1]))]
