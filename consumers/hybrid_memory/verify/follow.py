"""Reads both topics into a ledger, just as far as an index has applied them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import CLASSIFIED, MEMORIES, Record
from hybrid_memory.schemas.identity import split_fact_key
from hybrid_memory.verify.ledger import Ledger

Positions = Mapping[str, Mapping[int, int]]
"""Of each topic and partition, the next offset."""


@dataclass(slots=True)
class Follower:
    """Both topics of a cluster, and how far they have been read."""

    log: Log
    memories: TopicInfo
    classified: TopicInfo
    _read: dict[str, dict[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Follower":
        """Reads nothing yet.

        Raises:
            Unavailable: Kafka does not answer, or the topics are not there.
        """
        log, names = Log(settings), [settings.topic_prefix + name for name in (MEMORIES, CLASSIFIED)]
        found = log.cluster.topics(names)
        for name in names:
            if name not in found:
                raise Unavailable(f"there is no topic {name}; make it with: hm topics apply")
        memories, classified = (found[name] for name in names)
        return cls(log, memories, classified)

    @property
    def topics(self) -> tuple[TopicInfo, TopicInfo]:
        """Both."""
        return self.memories, self.classified

    def ends(self) -> Positions:
        """Where both end now.

        Raises:
            Unavailable: Kafka does not answer.
        """
        return {topic.name: self.log.cluster.ends(topic) for topic in self.topics}

    def read_to(self, ledger: Ledger, applied: Positions, since: Positions | None = None) -> set[str]:
        """Read on, up to these positions; the keys of the memories that were spoken of at or after `since`.

        An index passes a fact only after the memory that it tells of, so every memory is there before its facts.
        """
        touched: set[str] = set()
        for topic, take in ((self.memories, ledger.memories), (self.classified, ledger.facts)):
            ranges = self._ranges(topic, applied.get(topic.name, {}))
            records = self.log.read(topic, ranges)
            after = None if since is None else since.get(topic.name, {})
            take(records if after is None else _noting(records, after, touched))
            self._read[topic.name] = {number: end for number, (_, end) in ranges.items()}
        return touched

    def touched_since(self, positions: Positions) -> set[str]:
        """The keys of the memories that were spoken of from these positions on."""
        touched: set[str] = set()
        for topic, ends in zip(self.topics, self.ends().values(), strict=True):
            begun = positions.get(topic.name, {})
            for record in self.log.read(topic, {number: (begun.get(number, 0), end) for number, end in ends.items()}):
                touched.add(key_of(record))
        return touched

    def _ranges(self, topic: TopicInfo, applied: Mapping[int, int]) -> dict[int, tuple[int, int]]:
        begun = self._read.get(topic.name) or self.log.cluster.starts(topic)
        return {number: (begin, max(begin, applied.get(number, 0))) for number, begin in begun.items()}


def key_of(record: Record) -> str:
    """The key of the memory that a record speaks of; nothing where it has none."""
    key = (record.key or b"").decode(errors="replace")
    try:
        return split_fact_key(key)[0]
    except ValueError:
        return key


def _noting(records: Iterable[Record], since: Mapping[int, int], touched: set[str]) -> Iterator[Record]:
    for record in records:
        if record.offset >= since.get(record.partition, 0):
            touched.add(key_of(record))
        yield record
