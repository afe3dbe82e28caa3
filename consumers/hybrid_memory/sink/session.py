"""One session with the log. Each step does, in this order: read, decode, hold back; fold, embed and write to the
index; send answers and dead letters; move the index's position. Whatever is cut off in the middle is done again."""

import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hybrid_memory.index.store import Progress, TopicPartition, VectorStore
from hybrid_memory.runtime.deadletters import Brake, dead_letter
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.schemas import DecodeError, NewRecord, Position, Record, encode_fact, encode_memory
from hybrid_memory.sink.applied import Applied
from hybrid_memory.sink.apply import Applier
from hybrid_memory.sink.decode import Dead, failure, read_fact, read_memory
from hybrid_memory.sink.holdback import HoldBack
from hybrid_memory.sink.reader import LogReader
from hybrid_memory.sink.state import Braked
from hybrid_memory.sink.terms import Answer, AnyFact, Fact, Input, Mend, Null, UnreadableFact

_LOG = logging.getLogger(__name__)
SOURCE = "urn:hybrid-memory:sink"
STAGE = "sink"
_HELD = 1024
_BREATH_SECONDS, _LATELY_SECONDS = 0.003, 0.2
"""Between two steps of facts, where a memory came lately."""


class Speaker(Protocol):
    """Appends to the log: a publisher."""

    def send_all(self, records: Sequence[NewRecord], /) -> list[Position]: ...


@dataclass(frozen=True, slots=True)
class Topics:
    """The two topics as the cluster has them."""

    memories: TopicInfo
    classified: TopicInfo


@dataclass(slots=True)
class _Batch:
    """What a step works on: what to fold, the record of each, what is dead, and where the index stands after it."""

    read: int = 0
    inputs: list[Input] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    complete: bool = False

    def add(self, item: Input, record: Record) -> None:
        self.inputs.append(item)
        self.records.append(record)


@dataclass(slots=True)
class Session:
    """Follows both topics into one index, a batch a step.

    `facts_at_once` bounds how many facts a step reads and applies. A fact costs some milliseconds where its
    classifiers are new, and a memory that comes meanwhile waits for the step: so few at once, and memories first,
    however many facts wait. Where memories never cease, every other step takes facts too.
    """

    topics: Topics
    index_id: str
    answered: Mapping[TopicPartition, int]
    reader: LogReader
    publisher: Speaker
    applier: Applier
    store: VectorStore
    brake: Brake
    metrics: Metrics
    applied: Applied
    batch_size: int
    topic_prefix: str
    facts_at_once: int = sys.maxsize
    _whole: dict[int, tuple[int, int]] = field(default_factory=dict)
    _held: HoldBack = field(init=False)
    _full: set[int] = field(default_factory=set)
    _facts_last: bool = False
    _last_memory: float = float("-inf")
    _pending: _Batch | None = None
    _moved: dict[TopicPartition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._held = HoldBack(self._read_fact)

    def step(self, timeout: float) -> int:
        """Read a batch, for at most `timeout` seconds, and settle it; how many records it read.

        Raises:
            Unavailable: something is away; call again, and the same batch goes on.
            LogMoved: this session is over; begin another.
            Braked: this session is over, and the position stays before the batch.
        """
        if self._pending is None:
            self.reader.check()
            self._pending = self._read(timeout if self.settled else self._breath)
        batch = self._pending
        if not batch.complete:
            self._complete(batch)
        if batch.inputs or batch.dead:
            self._settle(batch)
        if batch.positions != self._moved:
            self._move(batch.positions)
        self._pending = None
        return batch.read

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """Where the index stands, of the partitions that this session follows."""
        return self._moved

    @property
    def silent(self) -> bool:
        """Whether records that another index's sink has answered are still being applied."""
        return any(self._moved.get(place, 0) < offset for place, offset in self.answered.items())

    @property
    def caught_up(self) -> bool:
        """Whether all that was in the log when it last answered has been applied."""
        return self.reader.at_end and not self._held.first()

    @property
    def settled(self) -> bool:
        """Whether no fact is held that could be applied now."""
        return len(self._held.waiting(self._memories)) == len(self._held.first())

    @property
    def _breath(self) -> float:
        """How long to wait for records while facts are held: where memories come, who serves them needs the cores."""
        return _BREATH_SECONDS if time.monotonic() - self._last_memory < _LATELY_SECONDS else 0.0

    # read, decode, hold back

    def _read(self, timeout: float) -> _Batch:
        batch = _Batch()
        records = self.reader.poll(self.batch_size, timeout)
        batch.read = len(records)
        for record in (record for record in records if record.topic == self.topics.memories.name):
            self._take_memory(record, batch)
            self._last_memory = time.monotonic()
        for record in (record for record in records if record.topic == self.topics.classified.name):
            self._held.hold(record)
        return batch

    def _complete(self, batch: _Batch) -> None:
        """Add the held facts whose turn has come. Apart from the reading, since it may fail when that is done."""
        self._release(batch)
        batch.positions = dict(self.reader.positions)
        for partition, record in self._held.first().items():
            batch.positions[self.topics.classified.name, partition] = record.offset
        self.reader.hold({(self.topics.classified.name, partition) for partition in self._not_to_read()})
        batch.complete = True

    def _not_to_read(self) -> set[int]:
        """The partitions whose facts wait for memories, or of which enough are held: until a quarter of that is left,
        since what a reader has fetched is fetched again after a pause."""
        self._full = {
            partition
            for partition in self._held.first()
            if self._held.number(partition) >= (_HELD // 4 if partition in self._full else _HELD)
        }
        return self._full | self._held.waiting(self._memories).keys()

    def _take_memory(self, record: Record, batch: _Batch) -> None:
        whole, answered = self._whole_since(record), self._was_answered(record)
        item, dead = read_memory(record, self.topics.memories.partitions, answered, whole)
        if item is not None:
            batch.add(item, record)
        if dead is not None:
            batch.dead.append(dead)

    def _read_fact(self, record: Record) -> tuple[AnyFact | None, Dead | None]:
        topics = self.topics
        return read_fact(record, topics.classified.partitions, topics.memories.topic_id, self._was_answered(record))

    def _release(self, batch: _Batch) -> None:
        before = len(batch.inputs)
        for held in self._held.release(self._memories, 0 if before and self._facts_last else self.facts_at_once):
            if held.fact is not None:
                batch.add(held.fact, held.record)
            if held.dead is not None:
                batch.dead.append(held.dead)
        self._facts_last = len(batch.inputs) > before
        for partition, fact in self._held.waiting(self._memories).items():
            end = self.reader.end((self.topics.memories.name, partition))
            if fact.seq >= end:
                held = self._held.drop(partition)
                if not fact.answered:
                    batch.dead.append(held.dead or _of_no_memory(held.record, fact.seq, end))

    @property
    def _memories(self) -> dict[int, int]:
        """How far `memories` has been read, and so is applied with this step."""
        name = self.topics.memories.name
        return {number: at for (topic, number), at in self.reader.positions.items() if topic == name}

    def _whole_since(self, record: Record) -> int:
        """The offset from which, up to this record, no record of its partition is missing."""
        since, expected = self._whole.get(record.partition, (0, record.offset))
        since = since if record.offset == expected else record.offset
        self._whole[record.partition] = (since, record.offset + 1)
        return since

    def _was_answered(self, record: Record) -> bool:
        return record.offset < self.answered.get((record.topic, record.partition), 0)

    # write, answer

    def _settle(self, batch: _Batch) -> None:
        began = time.monotonic()
        outcome = self.applier.apply(batch.inputs)
        dead = batch.dead + [
            Dead(batch.records[place], reason)
            for place, reason in outcome.refused.items()
            if not batch.inputs[place].answered
        ]
        self._check_brake(len(batch.inputs), dead)
        letters = [dead_letter(item.record, item.failure, self.topic_prefix) for item in dead]
        self.publisher.send_all([*self._encoded(outcome.answers), *letters])
        self._measure(batch, dead, len(outcome.answers), began)

    def _check_brake(self, alive: int, dead: list[Dead]) -> None:
        for is_dead in [False] * max(0, alive - len(dead)) + [True] * len(dead):
            self.brake.count(is_dead)
        if self.brake.reason is not None:
            last = dead[-1].failure.message if dead else "unknown"
            raise Braked(f"{self.brake.reason}; the last because: {last}")

    def _encoded(self, answers: Iterable[Answer]) -> list[NewRecord]:
        partitions = self.topics.classified.partitions
        return [
            encode_memory(answer.event, if_seq=answer.if_seq, source=SOURCE)
            if isinstance(answer, Mend)
            else encode_fact(answer, partitions, source=SOURCE)
            for answer in answers
        ]

    # move

    def _move(self, positions: Mapping[TopicPartition, int]) -> None:
        changed = {place: at for place, at in positions.items() if self._moved.get(place) != at}
        self.store.advance(Progress(changed, int(time.time() * 1000)))
        self._moved.update(changed)
        self.applied.moved(changed)
        self.reader.commit(changed)

    def _measure(self, batch: _Batch, dead: list[Dead], answered: int, began: float) -> None:
        metrics, now = self.metrics, time.time()
        metrics.batch_size.labels(STAGE).observe(len(batch.inputs) + len(batch.dead))
        metrics.stage_duration.labels(STAGE).observe(time.monotonic() - began)
        metrics.records.labels(STAGE, "applied").inc(len(batch.inputs))
        metrics.records.labels(STAGE, "answered").inc(answered)
        for item in dead:
            _warn(item)
            metrics.records.labels(STAGE, "dead").inc()
            metrics.dead_letters.labels(STAGE, item.failure.error_class).inc()
        for item_in, record in zip(batch.inputs, batch.records, strict=True):
            if isinstance(item_in, Null):
                continue
            speed = "classified" if isinstance(item_in, Fact | UnreadableFact) else "instant"
            metrics.event_age.labels(STAGE).observe(max(0.0, now - record.timestamp / 1000))
            metrics.time_to_searchable.labels(speed).observe(max(0.0, now - record.timestamp / 1000))


def _of_no_memory(record: Record, seq: int, end: int) -> Dead:
    reason = DecodeError("policy", f"its origin is offset {seq}, and that log ends at {end}")
    return Dead(record, failure("policy", reason))


def _warn(dead: Dead) -> None:
    """The brake bounds how often this is said."""
    record, reason = dead.record, dead.failure
    where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    _LOG.warning("a record went to the dead letters: %s", reason.message, extra={**where, "class": reason.error_class})
