"""A publisher beside a reconciliation, so that hints are followed while others are still written."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hybrid_memory.mem0.opening import opened
from hybrid_memory.mem0.patience import Stopped
from hybrid_memory.mem0.publish import publishing
from hybrid_memory.mem0.settle import Done
from hybrid_memory.runtime.background import Background
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_LOOK_SECONDS = 0.05
_STOP_SECONDS = 30.0


class Alongside(Background):
    """One more member of the group of publishers, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("mem0-publish", on_failure=lambda: None)
        self._settings, self._stop = settings, threading.Event()
        self.total = Done()
        """What it has done; others of the group may have done more."""

    def keep_up(self, waiting: Callable[[], int], most: int = 0) -> None:
        """Return when no more than so many hints wait, whoever followed the others.

        Raises:
            Stopped, Refusal: what `waiting` raises, or what ended the thread.
        """
        while waiting() > most:
            if self.failure is not None:
                raise self.failure
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """End after the batch that was begun."""
        self._stop.set()
        self.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            with opened(self._settings) as parts, publishing(parts, Metrics(), self._stop) as publisher:
                self.total = publisher.total
                while not self._stop.is_set():
                    publisher.step()
        except Stopped:
            return


@contextmanager
def alongside(settings: Settings) -> Iterator[Alongside]:
    """A publisher while the context lasts."""
    publisher = Alongside(settings)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close()
