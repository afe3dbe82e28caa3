"""A system in this process, with everything that can be done to it: real Kafka, real Edge, a known classifier."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.classifier.process import Task, process_batch
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.rules import default_rules
from hybrid_memory.index.points import StoredPoint
from hybrid_memory.index.store import VectorStore
from hybrid_memory.rebuild.others import drop
from hybrid_memory.rebuild.places import place_of
from hybrid_memory.rebuild.run import Options as RebuildOptions
from hybrid_memory.rebuild.run import rebuild
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.run import start
from hybrid_memory.replay.starting import ReplayRequest
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    FactSuperseded,
    Memory,
    MemoryClassified,
    NewRecord,
    Position,
    Record,
    decode_fact,
    encode_fact,
    encode_memory,
    partition_of,
)
from hybrid_memory.verify.check import Options, Report, verify
from hybrid_memory.verify.follow import Follower
from hybrid_memory.verify.views import StoreView
from tests.e2e.programs import until
from tests.integration.rebuild.serving import Serving, serving
from tests.integration.sink.test_rebuild import points
from tests.integration.sink.world import World
from tests.stream_process import Known, Manner, answer

BAD = "cannot be classified"
"""A text with these words makes the classifier fail; then the rules speak, and there is a dead letter."""
_EAGER = {"segment_ms": "50", "min_cleanable_dirty_ratio": "0.01", "min_compaction_lag_ms": "0"}
_PATIENT = {"segment_ms": "604800000", "min_compaction_lag_ms": "86400000"}


class Nth(Known):
    """Says which of several it is, so that nobody's classifiers can be taken for another's."""

    def __init__(self, number: int) -> None:
        super().__init__(Manner(batch_size=4, fails_on=BAD))
        self._number = number

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        said = super().classify(texts)
        return [Answer((*answer(text), f"by {self._number}"), one.maker) for text, one in zip(texts, said, strict=True)]


@dataclass
class Mix:
    """Topics of their own, and what stands behind `hm serve`, which may be stopped for a while."""

    world: World
    served: Serving | None = None
    classifiers: int = 0
    sent: list[tuple[Position, Memory]] = field(default_factory=list)
    _serving: AbstractContextManager[Serving] | None = None

    @property
    def settings(self) -> Settings:
        return self.world.settings

    # what follows the log

    def start(self) -> Serving:
        """Have the log followed, if it is not."""
        if self.served is None:
            self._serving = serving(self.world)
            self.served = self._serving.__enter__()
        return self.served

    def stop(self) -> None:
        """Have nobody follow the log."""
        if self._serving is not None:
            ended, self._serving, self.served = self._serving, None, None
            ended.__exit__(None, None, None)

    @contextmanager
    def index(self) -> Iterator[VectorStore]:
        with self.start().engine.searcher().reading() as store:
            yield store

    def settle(self) -> None:
        """Until everything, answers to answers too, has been applied, and all that has expired is deleted."""
        served = self.start()
        until(lambda: served._settled() and not self._expired(), 30)

    def _expired(self) -> int:
        with self.index() as store:
            return len(store.expired(int(time.time() * 1000), 100))

    # what is written

    def write(self, *records: NewRecord) -> None:
        self.world.send(*records)

    def remember(self, *memories: Memory) -> None:
        """Write memories whose facts may be asked for later."""
        positions = self.world.send(*(encode_memory(memory) for memory in memories))
        self.sent.extend(zip(positions, memories, strict=True))

    def classify(self, some: Iterable[tuple[Position, Memory]], generation: int, rules: bool = False) -> None:
        """Facts about these, as the live stream writes them, or one that was away for long."""
        tasks = [Task(memory, position) for position, memory in some if memory.classifiers is None]
        by: Classifier = RuleClassifier(default_rules()) if rules else Nth(0)
        spare = RuleClassifier(default_rules())
        outcomes = process_batch(tasks, by, spare, generation=generation, at=datetime.now(UTC))
        count = self.world.topic(CLASSIFIED).partitions
        self.write(*(encode_fact(outcome.fact, count) for outcome in outcomes))

    def replay(self, request: ReplayRequest) -> Job:
        """A replay with a classifier of its own, to its end."""
        self.classifiers += 1
        number = self.classifiers

        def opened(settings: Settings) -> tuple[Classifier, Choice]:
            return Nth(number), Choice("qwen", "the tests say so")

        job = start(self.settings, request, opened)
        assert job.finished
        return job

    # what is done to log and index

    def rebuild(self) -> None:
        """Build the index anew, and switch over; what was kept is dropped before."""
        self.start()
        place = place_of(self.settings)
        try:
            kept = place.generations.kept()
        finally:
            place.close()
        if kept is not None:
            drop(self.settings)
        before = self.start().generation
        assert rebuild(self.settings, RebuildOptions()) == 0
        until(lambda: self.start().generation != before, 30)

    def compact(self) -> None:
        """Of all that both topics hold now, only the last record of each key is left."""
        cluster = Cluster(self.settings)
        before = {name: cluster.ends(self.world.topic(name)) for name in (MEMORIES, CLASSIFIED)}
        self.world.configure(MEMORIES, CLASSIFIED, **_EAGER)
        until(lambda: self._rolled() and not any(self._doubles(name, ends) for name, ends in before.items()), 60)
        self.world.configure(MEMORIES, CLASSIFIED, **_PATIENT)

    def _rolled(self) -> bool:
        """A record in each partition, so that the segment before it is closed and may be cleaned."""
        count = self.world.topic(MEMORIES).partitions
        keys = {partition_of(f"roll/r{n}", count): f"r{n}" for n in range(8 * count)}
        assert len(keys) == count
        for memory_id in keys.values():
            self.write(encode_memory(Memory.new(user_id="roll", memory_id=memory_id, text="tick", classifiers=())))
            self.write(encode_fact(FactSuperseded(memory_key=f"roll/{memory_id}", seq=0, generation=1), count))
        return True

    def _doubles(self, name: str, ends: dict[int, int]) -> int:
        """How many records that stood there are followed by another of their key."""
        records = self.world.read(name)
        last = {record.key: record.offset for record in records}
        return sum(record.offset < ends[record.partition] and last[record.key] != record.offset for record in records)

    # what must hold

    def verified(self) -> Report:
        """What `hm verify` says."""
        with self.index() as store:
            return verify(StoreView(store, moves=True), Follower.of(self.settings), Options(wait_s=10))

    def shown(self) -> dict[str, StoredPoint]:
        with self.index() as store:
            return points(store)

    def fresh(self, name: str) -> dict[str, StoredPoint]:
        """What an index shows that is built from the log as it is."""
        with self.world.sink(name, expect_stream=True) as sink:
            sink.settle()
            return points(sink.store)

    def classify_rest(self) -> None:
        """The live stream catches up: what has no fact gets one."""
        topic = self.world.topic(MEMORIES)
        while late := [
            (topic_position(topic.topic_id, topic.partitions, one), one.point.memory)
            for one in self.shown().values()
            if one.point.memory is not None and one.point.source != "provided" and one.point.fact is None
        ]:
            self.classify(late, generation=1)
            self.settle()

    def facts_left(self) -> set[tuple[str, int, int]]:
        """The facts that compaction would leave."""
        last: dict[bytes | None, Record] = {record.key: record for record in self.world.read(CLASSIFIED)}
        facts = [decode_fact(record) for record in last.values()]
        return {(one.memory.key, one.seq, one.generation) for one in facts if isinstance(one, MemoryClassified)}


def topic_position(topic_id: str, partitions: int, stored: StoredPoint) -> Position:
    """Where the record of a point stands."""
    point = stored.point
    return Position(topic_id=topic_id, partition=partition_of(point.key, partitions), offset=point.seq)
