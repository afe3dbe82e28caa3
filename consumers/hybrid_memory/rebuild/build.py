"""Fills the next generation of the index up to what the serving one has applied, and compares the two."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_memory.index.store import TopicPartition, VectorStore
from hybrid_memory.index.summary import Summary, summarise, versions
from hybrid_memory.rebuild.compare import Row, compare, differs
from hybrid_memory.rebuild.places import Place
from hybrid_memory.rebuild.progress import Shown
from hybrid_memory.sink.fill import Filler

SAMPLE = 1000
_ATTEMPTS = 3
_AGAIN_SECONDS = 0.5
_CLOSE_SECONDS = 2.0
_RECENT = 0.8
"""Of the time for which deletes are kept: older tombstones may be purged on one side and not yet on the other."""


@dataclass(frozen=True, slots=True)
class Builder:
    """One generation, being built."""

    place: Place
    store: VectorStore
    filler: Filler
    stop: threading.Event
    known: Mapping[TopicPartition, int]
    """How far the serving index had come when we began."""

    def fill(self, show: Shown) -> bool:
        """Apply the log until little is left, while the serving index goes on; False where we were stopped."""
        first = dict(self.filler.first)
        while not self.stop.is_set():
            bounds, began = self._bounds(), time.monotonic()
            total = sum(max(0, bound - first.get(place, 0)) for place, bound in bounds.items())

            def told(total: int = total) -> None:
                done = sum(max(0, at - first.get(place, 0)) for place, at in self.filler.positions.items())
                show(min(done, total), total)
                self.place.answer(self.store)

            told()
            if not self.filler.up_to(bounds, self.stop, told):
                return False
            if time.monotonic() - began < _CLOSE_SECONDS:
                return True
        return False

    def compare(self) -> tuple[Summary | None, list[Row]]:
        """The serving index, where there is one, and what it and ours say of the same stretch of the log.

        Where they differ, another look is taken a moment later.
        """
        serving, rows = None, list[Row]()
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.stop.wait(_AGAIN_SECONDS)
            since = int(time.time() * 1000 - self.filler.delete_retention_ms * _RECENT)
            serving = self.place.look(self.place.generations.current(), since, SAMPLE)
            if serving is None:
                return None, []
            mine = summarise(self.store, since, 0)
            if mine.log == serving.log and self.filler.up_to(serving.after, self.stop):
                mine = summarise(self.store, since, 0)
            ahead = self.filler.left(serving.after)
            rows = compare(serving, mine, versions(self.store, list(serving.sample)), ahead)
            if not differs(rows) or self.stop.is_set():
                break
        return serving, rows

    def _bounds(self) -> dict[TopicPartition, int]:
        bounds = self.filler.watermark()
        return {place: max(bounds.get(place, 0), self.known.get(place, 0)) for place in bounds.keys() | self.known}
