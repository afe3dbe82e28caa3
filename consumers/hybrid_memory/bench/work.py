"""What every measurement has at hand: the running system, the embedder alone, and memories to store."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hybrid_memory.bench.api import Api
from hybrid_memory.bench.embedding import EmbedderAlone
from hybrid_memory.bench.progress import Shown
from hybrid_memory.client import MemoryClient
from hybrid_memory.local.stack import Stack
from hybrid_memory.runtime.errors import Refusal

USERS = 100
_POLL_SECONDS = 0.02
_CHUNK = 2000
_DEADLINE = 600.0


@dataclass(slots=True)
class Work:
    """One run. `samples` is how often a single thing is measured; `stored` is how many memories the index holds."""

    stack: Stack
    api: Api
    client: MemoryClient
    alone: EmbedderAlone
    shown: Shown
    texts: Sequence[str]
    samples: int
    seed: int
    stored: int = 0
    first_alone: float | None = None
    """How long a search of one user took at the first size, as a multiple of embedding its query."""
    _next: "itertools.cycle[str]" = field(init=False)

    def __post_init__(self) -> None:
        self._next = itertools.cycle(self.texts)

    def memories(self, count: int) -> list[dict[str, Any]]:
        """New memories, of a hundred users in turn; each with an id of its own, so that a text may come again."""
        numbers = range(self.stored, self.stored + count)
        self.stored += count
        return [{"user_id": user(n), "memory_id": f"m{n}", "text": next(self._next)} for n in numbers]

    def publish(self, memories: Sequence[dict[str, Any]]) -> float:
        """Publish through Kafka with the client, and wait until the last is searchable; the seconds that took.

        Raises:
            Refusal: they were not all searchable within ten minutes.
        """
        began = time.perf_counter()
        added = self.client.add_many(memories)
        last = {one.position.partition: memory for one, memory in zip(added, memories, strict=True)}
        for memory in last.values():
            self.wait_for(memory)
        return time.perf_counter() - began

    def fill(self, size: int) -> None:
        """Publish until the index holds so many memories."""
        missing = max(0, size - self.stored)
        if missing:
            with self.shown.step(f"filling the index to {size:,} memories", missing) as advance:
                for start in range(0, missing, _CHUNK):
                    some = self.memories(min(_CHUNK, missing - start))
                    self.publish(some)
                    advance(len(some))

    def wait_for(self, memory: dict[str, Any]) -> None:
        """Wait until a memory is searchable, by looking: a look costs the service about a millisecond, 20 apart.

        Raises:
            Refusal: it was not within ten minutes.
        """
        deadline = time.monotonic() + _DEADLINE
        path = f"/v1/users/{memory['user_id']}/memories/{memory['memory_id']}"
        while not self.api.exists(path):
            if time.monotonic() > deadline:
                raise Refusal(f"memory {memory['memory_id']} was not searchable within {_DEADLINE:.0f} s")
            time.sleep(_POLL_SECONDS)


def user(number: int) -> str:
    """The user of a memory's number."""
    return f"user-{number % USERS:03}"
