"""Reads a dead-letter topic into a view of it."""

from hybrid_memory.dlq.letters import View
from hybrid_memory.runtime import reading
from hybrid_memory.runtime.deadletters import size_of
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.settings import Settings


class Log(reading.Log):
    """A cluster's topics, read without a group. `max_bytes` bounds what is kept of one topic."""

    def __init__(self, settings: Settings, quiet: bool = False, max_bytes: int | None = None) -> None:
        super().__init__(settings, quiet)
        self._max_bytes = max_bytes

    def view(self, topic: TopicInfo, keep_values: bool) -> tuple[View, dict[int, tuple[int, int]]]:
        """The letters of a topic, and the ranges that were read for it.

        Raises:
            Refusal: they are more than `max_bytes`.
        """
        view, ranges, size = View(keep_values), self.whole(topic), 0
        for record in self.read(topic, ranges):
            size += size_of(record) if keep_values else size_of(record) - len(record.value or b"")
            if self._max_bytes is not None and size > self._max_bytes:
                said = f"the dead letters of {topic.name} are more than {self._max_bytes >> 20} MiB"
                raise Refusal(f"{said}; hm dlq reads them all")
            view.apply(record)
        return view, ranges
