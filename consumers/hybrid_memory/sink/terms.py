"""What the fold takes, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hybrid_memory.index.points import Point
from hybrid_memory.schemas import FactEvent, MemoryClassified, MemoryEvent, Position, partition_of


class Labels(Protocol):
    """What the rules make of a text."""

    @property
    def classifiers(self) -> tuple[str, ...]: ...
    @property
    def topic(self) -> str | None: ...


class Rules(Protocol):
    """The sink's own classifiers: a pure function of the text, and the version that provenance names."""

    @property
    def version(self) -> str: ...
    def classify(self, text: str, /) -> Labels: ...


Vector = tuple[float, ...]


class Labeller(Protocol):
    """Makes the rules for a batch, of texts whose vectors are known."""

    def over(self, vectors: Mapping[str, Vector], /) -> Rules: ...


@dataclass(frozen=True, slots=True)
class Log:
    """Which topic `memories` is: its id and how many partitions it has."""

    topic_id: str
    partitions: int

    def position(self, key: str, seq: int) -> Position:
        """Where the record of this memory with this offset stands."""
        return Position(topic_id=self.topic_id, partition=partition_of(key, self.partitions), offset=seq)


@dataclass(frozen=True, slots=True)
class Write:
    """A record of `memories` that could be read. `seq` is its offset, `at` its append time (ms).

    No record of its partition is missing from `whole_since` up to it: what compaction took away before that may have
    changed the memory, so nothing is concluded from an older point.
    """

    seq: int
    at: int
    event: MemoryEvent
    if_seq: int | None = None
    whole_since: int = 0
    answered: bool = False

    @property
    def key(self) -> str:
        return self.event.key


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of `memories` with a good key that can never be applied; its dead letter is the shell's."""

    seq: int
    key: str
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A record of `memories.classified` whose origin has been applied."""

    event: MemoryClassified
    answered: bool = False

    @property
    def key(self) -> str:
        return self.event.memory.key

    @property
    def seq(self) -> int:
        return self.event.seq


@dataclass(frozen=True, slots=True)
class _NoFact:
    key: str
    """Of the memory, not the record's own."""
    seq: int
    generation: int
    answered: bool = False


@dataclass(frozen=True, slots=True)
class UnreadableFact(_NoFact):
    """A record of `memories.classified` that can never be applied, under the key of a fact: it hides that one."""


@dataclass(frozen=True, slots=True)
class Null(_NoFact):
    """A null of `memories.classified`: compaction leaves nothing of the fact that it names."""


AnyFact = Fact | UnreadableFact | Null
"""What a record of `memories.classified` says."""

Input = Write | Unreadable | AnyFact


@dataclass(frozen=True, slots=True)
class Mend:
    """The present state of a memory, to be appended to `memories` under `hm-if-seq: if_seq`."""

    event: MemoryEvent
    if_seq: int


Answer = Mend | FactEvent


@dataclass(slots=True)
class Folded:
    """What a batch comes to: each point that changed, in its last version, and what the log must be told."""

    points: dict[str, Point] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
