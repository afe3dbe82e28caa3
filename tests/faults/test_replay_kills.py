"""Replay workers under `kill -9`, while memories are changed and deleted.

They die at the worst moments: when a batch's results, or its facts, or its progress are durable and nothing after is,
and within a batch. Which moment, and of which batch, is drawn; no clock decides it. Afterwards every memory has the new
generation's classifiers, or its newer text; and a kill has repeated at most one batch.

`HM_TEST_KILLS` says how often (10), `HM_TEST_SEED` which random numbers (new ones; they are printed).
"""

import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hybrid_memory.local import Broker
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.starting import ReplayRequest, start_replay
from hybrid_memory.replay.store import find_job
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    decode_fact,
    decode_memory,
    encode_memory,
)
from tests.conftest import cache_dir
from tests.e2e.programs import ROOT, Program, environment, until
from tests.integration.replay.world import ReplayWorld, make_topics, replay_world
from tests.replay_process import DIES
from tests.stream_process import Manner, answer

KILLS = int(os.environ.get("HM_TEST_KILLS", "10"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))
PATIENCE = 120.0 + 15 * KILLS
WORKERS, BATCH, LIFE = 3, 8, 4
MANNER = Manner(batch_size=BATCH)
MOMENTS = ("facts", "facts", "facts", "results", "progress", "classify")
REPEATS = {"facts": BATCH, "results": 0, "progress": 0, "classify": BATCH}
"""How many facts a death may cause to be written again. Within a batch, the one before may be on its way."""
_SOON = {
    "group.consumer.heartbeat.interval.ms": 300,
    "group.consumer.min.heartbeat.interval.ms": 300,
    "group.consumer.session.timeout.ms": 3000,
    "group.consumer.min.session.timeout.ms": 3000,
    "log.index.size.max.bytes": 1_000_000,
}


@pytest.fixture
def log(topic_prefix: str, tmp_path: Path) -> Iterator[ReplayWorld]:
    """Topics on a broker whose groups notice a death soon."""
    with (
        TemporaryDirectory(prefix="hm-tests-kafka-", ignore_cleanup_errors=True) as folder,
        Broker(Path(folder), cache_dir=cache_dir(), properties=_SOON) as broker,
    ):
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers}, topic_prefix=topic_prefix)
        make_topics(settings, 6)
        with replay_world(settings, tmp_path) as world:
            yield world


@dataclass
class Crew:
    """Workers on one job; who is dead is followed by another, until all are dead who were to die."""

    log: ReplayWorld
    job: Job
    fates: list[str]
    """Of each worker to come: a moment, and after which of its batches."""
    alive: dict[str, Program] = field(default_factory=dict)
    started: int = 0
    died: list[str] = field(default_factory=list)

    def supervise(self) -> None:
        for name, program in [(name, program) for name, program in self.alive.items() if not program.running]:
            del self.alive[name]
            if program.process.returncode == -signal.SIGKILL:
                self.died.append(name.partition(":")[0])
            else:
                assert program.process.returncode == 0, program.said[-3000:]
        while len(self.alive) < WORKERS and not self.finished:
            fate = self.fates.pop() if self.fates else "never"
            self.started += 1
            self.alive[f"{fate}/{self.started}"] = self._start(fate)

    @property
    def finished(self) -> bool:
        return find_job(self.log.settings, self.job.id).finished

    def has_finished(self) -> bool:
        """Whether the job is done, and whoever worked on it has ended."""
        self.supervise()
        return self.finished and not self.alive

    def said(self) -> str:
        return "\n".join(program.said[-2000:] for program in self.alive.values())

    def end(self) -> None:
        for program in self.alive.values():
            program.process.kill()
            program.process.wait()

    def _start(self, fate: str) -> Program:
        settings = self.log.settings
        names = {
            "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "HM_TOPIC_PREFIX": settings.topic_prefix,
            "HM_CLASSIFIER__KIND": "rules",
            "PYTHONPATH": str(ROOT),
            DIES: fate,
        }
        command = [sys.executable, "-W", "error", "-m", "tests.replay_process", self.job.id]
        output = self.log.world.folder / f"worker-{self.started}.log"
        return Program.start(command, environment(**names, **MANNER.env), output)


class Writer(threading.Thread):
    """Changes and deletes memories until it is told to stop."""

    def __init__(self, log: ReplayWorld, count: int, rng: random.Random) -> None:
        super().__init__(name="writer", daemon=True)
        self._log, self._count, self._rng, self.enough = log, count, rng, threading.Event()

    def run(self) -> None:
        version = 0
        while not self.enough.wait(0.1):
            version += 1
            name = f"m{self._rng.randrange(self._count)}"
            if version % 3:
                self._log.world.send(encode_memory(memory(name, f"version {version} of {name}")))
            else:
                self._log.world.send(encode_memory(MemoryDeleted(user_id="ann", memory_id=name)))


def memory(name: str, text: str) -> Memory:
    return Memory(user_id="ann", memory_id=name, text=text)


@pytest.mark.faults
@pytest.mark.timeout(PATIENCE + 120)
def test_replay_kills(log: ReplayWorld) -> None:
    print(f"HM_TEST_SEED={SEED} HM_TEST_KILLS={KILLS}")
    rng = random.Random(SEED)
    fates = [f"{rng.choice(MOMENTS)}:{rng.randint(1, LIFE)}" for _ in range(KILLS)]
    count = (KILLS + WORKERS) * LIFE * BATCH * 2  # so that there is work for everybody who is to die of it
    names = [f"m{number}" for number in range(count)]
    log.world.send(*(encode_memory(memory(name, f"the first of {name}")) for name in names))
    job = start_replay(log.settings, ReplayRequest(generation=2))
    crew, writer = Crew(log, job, fates), Writer(log, count, rng)
    writer.start()
    try:
        until(crew.has_finished, PATIENCE, crew.said)
    finally:
        writer.enough.set()
        writer.join(30)
        crew.end()
    check(log, job)
    repeats = sum(count - 1 for count in facts(log).values())
    print(f"{len(crew.died)} died ({Counter(crew.died)}) of {crew.started} workers, {repeats} facts written again")
    assert len(crew.died) == KILLS
    assert repeats <= sum(REPEATS[moment] for moment in crew.died)
    assert repeats > 0 or crew.died.count("facts") < 3


def facts(log: ReplayWorld) -> Counter[str]:
    """How often each fact was written."""
    decoded = (decode_fact(record) for record in log.world.read(CLASSIFIED))
    return Counter(fact.key for fact in decoded if isinstance(fact, MemoryClassified))


def check(log: ReplayWorld, job: Job) -> None:
    """Each memory has its fact or is newer than the job; and the index says the same."""
    last, said = {}, {}
    for record in log.world.read(MEMORIES):
        event = decode_memory(record)
        last[event.key] = (record, event)
        said[event.key, record.offset] = event
    found = {}
    for record in log.world.read(CLASSIFIED):
        fact = decode_fact(record)
        if isinstance(fact, MemoryClassified):
            found[fact.memory.key, fact.seq] = fact
            assert fact.memory == said[fact.memory.key, fact.seq]
            assert fact.classifiers == answer(fact.memory.text)
    ends = {number: span.end for number, span in job.ranges.items()}
    old = {key for key, (record, _) in last.items() if record.offset < ends[record.partition]}
    lost = {key for key in old if (key, last[key][0].offset) not in found}
    assert not lost
    with log.world.sink() as sink:
        sink.settle()
        for key, (record, event) in last.items():
            point = sink.store.get([key])[key].point
            assert point.seq == record.offset
            if isinstance(event, MemoryDeleted):
                assert point.memory is None
            else:
                assert point.memory is not None
                assert point.memory.text == event.text
                assert key not in old or point.classifiers == answer(event.text)
