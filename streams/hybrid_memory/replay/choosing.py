"""Which records of `memories` a job classifies, and why it passes over the others. Pure."""

from datetime import UTC, datetime
from typing import Literal

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.process import Task
from hybrid_memory.classifier.stream.read import Reason as StreamReason
from hybrid_memory.classifier.stream.read import Skip, read
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import Record, split_memory_key
from hybrid_memory.schemas.replays import ReplayBefore, ReplayDefinition, ReplayFilters

Reason = StreamReason | Literal["newer", "not meant", "has one"]
"""`newer`: the memory changed later, or is gone. `has one`: a fact of this generation, or of a later."""


def key_meant(filters: ReplayFilters, key: bytes | None) -> bool:
    """Whether the memory of this key may be meant, as far as its key says."""
    if not filters.users and not filters.keys:
        return True
    try:
        text = (key or b"").decode()
        user, _ = split_memory_key(text)
    except ValueError:
        return False
    return (not filters.users or user in filters.users) and (not filters.keys or text in filters.keys)


def time_meant(filters: ReplayFilters, timestamp: int) -> bool:
    """Whether a record that was appended then (ms) is meant."""
    return (filters.since is None or timestamp >= _ms(filters.since)) and (
        filters.until is None or timestamp < _ms(filters.until)
    )


class Chooser:
    """Says of each record what a job makes of it. `rules` speak for memories that have no fact."""

    def __init__(self, definition: ReplayDefinition, topic: TopicInfo, rules: Classifier) -> None:
        self._filters, self._generation = definition.filters, definition.generation
        self._labels = {label.casefold() for label in definition.filters.labels}
        self._topic, self._rules = topic, rules

    def early(self, record: Record) -> Reason | None:
        """What can be said before the record is read."""
        meant = key_meant(self._filters, record.key) and time_meant(self._filters, record.timestamp)
        return None if meant else "not meant"

    def choose(self, record: Record, now: datetime, present: ReplayBefore | None) -> Task | Reason:
        """The task, or why there is none. `present` is the best fact of this version, whosoever made it."""
        found = read(record, self._topic, now)
        if isinstance(found, Skip):
            return found.reason
        if self._filters.stale and present is not None and present.provenance.generation >= self._generation:
            return "has one"
        return found if self._meant(found, present) else "not meant"

    def _meant(self, task: Task, present: ReplayBefore | None) -> bool:
        source = "rules" if present is None else present.provenance.source
        if self._filters.sources and source not in self._filters.sources:
            return False
        if not self._labels:
            return True
        labels = self._by_rules(task) if present is None else present.classifiers
        return any(label.casefold() in self._labels for label in labels)

    def _by_rules(self, task: Task) -> tuple[str, ...]:
        [answer] = self._rules.classify([task.memory.text])
        return answer.classifiers


def _ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1000)
