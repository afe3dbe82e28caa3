"""Reads both topics into a ledger, as far as they go, and later on from there."""

from dataclasses import dataclass, field

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import CLASSIFIED, MEMORIES
from hybrid_memory.verify.ledger import Ledger


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

    def follow(self, ledger: Ledger) -> None:
        """Read to where both topics end now.

        The end of the facts is asked for first: then every memory that they tell of stands before the other end.

        Raises:
            Unavailable: Kafka does not answer.
        """
        facts = self._ranges(self.classified)
        memories = self._ranges(self.memories)
        ledger.memories(self.log.read(self.memories, memories))
        ledger.facts(self.log.read(self.classified, facts))
        for topic, ranges in ((self.memories, memories), (self.classified, facts)):
            self._read[topic.name] = {number: end for number, (_, end) in ranges.items()}

    def ends(self, topic: TopicInfo) -> dict[int, int]:
        """Up to where each partition has been read."""
        return dict(self._read.get(topic.name, {}))

    def _ranges(self, topic: TopicInfo) -> dict[int, tuple[int, int]]:
        begun = self._read.get(topic.name) or self.log.cluster.starts(topic)
        return {number: (begun[number], end) for number, end in self.log.cluster.ends(topic).items()}
