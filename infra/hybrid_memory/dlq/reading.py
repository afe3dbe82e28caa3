"""Reads a dead-letter topic into a view of it."""

from hybrid_memory.dlq.letters import View
from hybrid_memory.runtime import reading
from hybrid_memory.runtime.kafka import TopicInfo


class Log(reading.Log):
    """A cluster's topics, read without a group."""

    def view(self, topic: TopicInfo, keep_values: bool) -> tuple[View, dict[int, tuple[int, int]]]:
        """The letters of a topic, and the ranges that were read for it."""
        view, ranges = View(keep_values), self.whole(topic)
        for record in self.read(topic, ranges):
            view.apply(record)
        return view, ranges
