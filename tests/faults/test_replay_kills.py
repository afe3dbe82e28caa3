"""Replay workers under `kill -9`, while memories are changed and deleted.

Afterwards every memory has the new generation's classifiers, or its newer text; and a kill has repeated at most one
batch. `HM_TEST_KILLS` says how often (10), `HM_TEST_SEED` which random numbers (new ones; they are printed).
"""

import os
import random
import signal
import sys
import threading
import time
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
from hybrid_memory.runtime.kafka import Cluster
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
from tests.stream_process import Manner, answer

KILLS = int(os.environ.get("HM_TEST_KILLS", "10"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))
PATIENCE = 120.0 + 15 * KILLS
WORKERS, BATCH = 3, 8
MANNER = Manner(batch_size=BATCH, rate=60)
_SOON = {
    "group.consumer.heartbeat.interval.ms": 300,
    "group.consumer.min.heartbeat.interval.ms": 300,
    "group.consumer.session.timeout.ms": 1500,
    "group.consumer.min.session.timeout.ms": 1500,
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
    """Workers on one job; who is dead is followed by another."""

    log: ReplayWorld
    job: Job
    rng: random.Random
    alive: list[Program] = field(default_factory=list)
    started: int = 0
    kills: int = 0

    def supervise(self) -> None:
        for program in [program for program in self.alive if not program.running]:
            assert program.process.returncode in (0, -signal.SIGKILL), program.said[-3000:]
            self.alive.remove(program)
        while len(self.alive) < WORKERS and not self.finished:
            self.alive.append(self._start())

    @property
    def finished(self) -> bool:
        return find_job(self.log.settings, self.job.id).finished

    def has_finished(self) -> bool:
        self.supervise()
        return self.finished

    @property
    def classified(self) -> int:
        return find_job(self.log.settings, self.job.id).classified

    def kill(self) -> None:
        """One of them, at any moment."""
        victim = self.rng.choice(self.alive)
        if victim.running:
            victim.process.kill()
            victim.process.wait()
            self.kills += 1

    def await_work(self, more: int) -> None:
        """Until so many more memories are classified, so that somebody is in the midst of a batch."""
        wanted = self.classified + more
        until(lambda: self.classified >= wanted or self.finished, PATIENCE, lambda: self.alive[0].said[-2000:])

    def await_facts(self) -> None:
        """Until somebody has just written some: the moment at which a death makes them be written again."""
        cluster, topic, deadline = Cluster(self.log.settings), self.log.world.topic(CLASSIFIED), time.monotonic() + 5
        before = cluster.ends(topic)
        while cluster.ends(topic) == before and time.monotonic() < deadline:
            time.sleep(0.001)

    def end(self) -> None:
        for program in self.alive:
            program.process.kill()
            program.process.wait()

    def _start(self) -> Program:
        self.started += 1
        settings = self.log.settings
        names = {
            "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "HM_TOPIC_PREFIX": settings.topic_prefix,
            "HM_CLASSIFIER__KIND": "rules",
            "PYTHONPATH": str(ROOT),
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
@pytest.mark.slow
@pytest.mark.timeout(PATIENCE + 120)
def test_replay_kills(log: ReplayWorld) -> None:
    print(f"HM_TEST_SEED={SEED} HM_TEST_KILLS={KILLS}")
    rng = random.Random(SEED)
    count = 240 + 90 * KILLS
    names = [f"m{number}" for number in range(count)]
    log.world.send(*(encode_memory(memory(name, f"the first of {name}")) for name in names))
    job = start_replay(log.settings, ReplayRequest(generation=2))
    crew, writer = Crew(log, job, rng), Writer(log, count, rng)
    writer.start()
    try:
        while crew.kills < KILLS and not crew.finished:
            crew.supervise()
            crew.await_work(rng.randrange(10, 80))
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0, 0.2))
            else:
                crew.await_facts()
            crew.kill()
        until(crew.has_finished, PATIENCE)
    finally:
        writer.enough.set()
        writer.join(30)
        crew.end()
    check(log, job)
    repeats = sum(count - 1 for count in facts(log).values())
    print(f"{crew.kills} kills, {crew.started} workers, {repeats} facts written again")
    assert crew.kills == KILLS
    assert repeats <= crew.kills * BATCH


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
