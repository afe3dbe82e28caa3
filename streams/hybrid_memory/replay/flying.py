"""Batches that were begun and are not delivered yet, in the order in which they were begun."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from hybrid_memory.replay.batch import Batch, Found
from hybrid_memory.runtime.errors import Unavailable

_WAIT_SECONDS = 0.5


class Flying:
    """A queue of batches, each with its answer to come. Of one thread."""

    def __init__(self, submit: Callable[[Batch], Future[Found]]) -> None:
        self._submit = submit
        self._queue: deque[tuple[Batch, Future[Found]]] = deque()
        self._failed = False
        self.since = time.monotonic()
        """When the last batch ended or, after a time without any, the first began."""

    def __len__(self) -> int:
        return len(self._queue)

    def begin(self, batch: Batch) -> None:
        """Have it classified."""
        if not self._queue:
            self.since = time.monotonic()
        self._queue.append((batch, self._submit(batch)))

    @property
    def first(self) -> Batch:
        """The oldest."""
        return self._queue[0][0]

    def result(self) -> Found:
        """What was found for the oldest.

        Raises:
            TimeoutError: it is not done yet; ask again.
            Unavailable: it was not done; ask again, and it is begun again.
            Refusal: it cannot be done.
        """
        batch, future = self._queue[0]
        if self._failed:
            self._queue[0] = (batch, future := self._submit(batch))
        self._failed = False
        try:
            return future.result(_WAIT_SECONDS)
        except Unavailable:
            self._failed = True
            raise

    def ended(self) -> None:
        """The oldest is delivered."""
        self._queue.popleft()
        self.since = time.monotonic()
