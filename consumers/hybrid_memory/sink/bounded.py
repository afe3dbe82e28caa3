"""Reads the log no further than it is told."""

from collections import deque
from collections.abc import Iterable, Mapping

from hybrid_memory.index.store import TopicPartition as Place
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record
from hybrid_memory.sink.reader import LogReader


class BoundedReader(LogReader):
    """Hands out the records before a bound of each partition; `allow` moves the bounds on.

    What Kafka gave beyond a bound is kept, and the partition is paused, so no more than a batch is kept.
    """

    def __init__(self, settings: Settings, group: str, topics: Iterable[TopicInfo], start: Mapping[Place, int]) -> None:
        super().__init__(settings, group, topics, start)
        self._start = dict(self._read)
        self._bounds: dict[Place, int] = dict(self._start)
        self._beyond: dict[Place, deque[Record]] = {}

    def allow(self, bounds: Mapping[Place, int]) -> None:
        """Read up to here, from now on. A bound never moves back."""
        for place, bound in bounds.items():
            if place in self._bounds:
                self._bounds[place] = max(self._bounds[place], bound)

    @property
    def positions(self) -> Mapping[Place, int]:
        return {place: self._position(place) for place in self._read}

    @property
    def finished(self) -> bool:
        """Whether all before the bounds has been handed out."""
        return all(self._position(place) >= bound for place, bound in self._bounds.items())

    def poll(self, limit: int, timeout: float) -> list[Record]:
        if kept := self._allowed(limit):
            return kept
        return [record for record in super().poll(limit, timeout) if self._is_allowed(record)]

    def hold(self, places: set[Place]) -> None:
        super().hold(places | self._beyond.keys())

    def _position(self, place: Place) -> int:
        """Past gaps too, but beyond neither the bound nor what is kept."""
        kept = self._beyond.get(place)
        read = kept[0].offset if kept else self._read[place]
        return max(self._start[place], min(read, self._bounds[place]))

    def _allowed(self, limit: int) -> list[Record]:
        """What was kept and may be handed out now."""
        records: list[Record] = []
        for place, kept in list(self._beyond.items()):
            while kept and kept[0].offset < self._bounds[place] and len(records) < limit:
                records.append(kept.popleft())
            if not kept:
                del self._beyond[place]
        return records

    def _is_allowed(self, record: Record) -> bool:
        place = (record.topic, record.partition)
        if place not in self._beyond and record.offset < self._bounds[place]:
            return True
        self._beyond.setdefault(place, deque()).append(record)
        return False
