"""The classifier stream under `kill -9`, stops, a broker that restarts, and workers that come and go.

Afterwards every memory has its one fact, the group's offsets stand at the end, and nothing is dead but what must be.
`HM_TEST_KILLS` says how often (10), `HM_TEST_SEED` which random numbers (new ones; they are printed).
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hybrid_memory.classifier.stream.ending import FAULT
from hybrid_memory.local import Broker
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.schemas import CLASSIFIED, MEMORIES, NewRecord, Position
from tests.conftest import cache_dir
from tests.e2e.programs import until
from tests.integration.stream.world import StreamWorld, Worker, make_topics, stream_world, texts
from tests.stream_process import Manner

KILLS = int(os.environ.get("HM_TEST_KILLS", "10"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))
PATIENCE = 120.0 + 15 * KILLS
_SHORT_GROUP = {"HM_KAFKA__SESSION_TIMEOUT_MS": "1500", "HM_KAFKA__HEARTBEAT_INTERVAL_MS": "300"}
_MANNER = Manner(batch_size=8, rate=80, fails_on="KRYPTONITE")
_ENDS = {0, FAULT, -signal.SIGKILL, -signal.SIGTERM}
"""How a worker may end; the last where it was told to before it listened."""
_STOP_SECONDS = 25.0
_POISON = NewRecord(MEMORIES, b"user 1/poison", b"\xff no JSON")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker that these tests may kill, with groups that notice a death soon."""
    with TemporaryDirectory(prefix="hm-tests-kafka-", ignore_cleanup_errors=True) as folder:
        properties = {"group.min.session.timeout.ms": 1000, "log.index.size.max.bytes": 1_000_000}
        with Broker(Path(folder), cache_dir=cache_dir(), properties=properties) as running:
            yield running


@pytest.fixture
def stream(broker: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[StreamWorld]:
    settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers}, topic_prefix=topic_prefix)
    make_topics(settings, 2)
    with stream_world(settings, tmp_path) as world:
        world.env = dict(_SHORT_GROUP)
        yield world


@pytest.mark.faults
@pytest.mark.slow
def test_a_worker_joins_and_leaves_and_an_idle_third_takes_over(stream: StreamWorld) -> None:
    stream.add(texts(120))
    first = stream.start(_MANNER).until_ready()
    until(lambda: first.metric("hm_classified_texts_total") > 0, 20, stream.said)
    second, third = stream.start(_MANNER).until_ready(), stream.start(_MANNER).until_ready()
    stream.add(f"second {text}" for text in texts(120))
    workers = [first, second, third]
    until(lambda: sum(worker.metric("hm_batch_size_count") > 0 for worker in workers) >= 2, 30, stream.said)
    first.end(signal.SIGKILL)
    assert second.end() == 0
    before = third.metric("hm_classified_texts_total")
    stream.add(f"third {text}" for text in texts(20))
    stream.settle(40)
    assert third.metric("hm_classified_texts_total") > before
    assert third.readiness() == "ok"
    stream.check()


@dataclass
class Crowd:
    """Workers under somebody who starts anew whom he finds dead, as `hm up` would."""

    stream: StreamWorld
    rng: random.Random
    broker: Broker
    alive: list[Worker] = field(default_factory=list)
    wanted: int = 1
    began: float = field(default_factory=time.monotonic)
    done: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    told: dict[int, float] = field(default_factory=dict)
    """When each was told to stop."""
    _seen: int = 0

    def __post_init__(self) -> None:
        self._cluster = Cluster(self.stream.settings)
        self._topic = self.stream.world.topic(CLASSIFIED)

    def supervise(self) -> None:
        for worker in [worker for worker in self.alive if not worker.program.running]:
            code = worker.program.process.returncode
            assert code in _ENDS, f"a worker ended with {code}: {worker.program.said[-3000:]}"
            self.ends.append(code)
            self.alive.remove(worker)
        for worker in self.alive:
            late = worker.port in self.told and time.monotonic() - self.told[worker.port] > _STOP_SECONDS
            assert not late, f"a worker did not stop in {_STOP_SECONDS} s: {worker.program.said[-3000:]}"
        while len(self.alive) < self.wanted:
            self.alive.append(self.stream.start(_MANNER))

    def await_work(self, facts: int, seconds: float = 30) -> None:
        """Until so many more facts are there, so that somebody is in the midst of a batch."""
        wanted, deadline = self._facts() + facts, time.monotonic() + seconds
        while self._facts() < wanted and time.monotonic() < deadline:
            self.supervise()
            time.sleep(0.05)

    def _facts(self) -> int:
        with suppress(Unavailable):
            self._seen = sum(self._cluster.ends(self._topic).values())
        return self._seen

    def strike(self) -> None:
        """One of the things that happen."""
        name = self.rng.choice(list(self._blows))
        self.done.append(f"{name} at {time.monotonic() - self.began:.0f} s")
        self._blows[name]()

    @property
    def _blows(self) -> Mapping[str, Callable[[], object]]:
        return {
            "kill": lambda: self._signal(signal.SIGKILL),
            "kill again": lambda: self._signal(signal.SIGKILL),
            "stop": lambda: self._signal(signal.SIGTERM),
            "broker": self._restart_broker,
            "join": lambda: self._want(min(3, self.wanted + 1)),
            "leave": self._leave,
        }

    def _signal(self, sign: signal.Signals) -> None:
        """To one who is at work, if anybody is."""
        if self.alive:
            busy = [worker for worker in self.alive if worker.has_worked]
            chosen = self.rng.choice(busy or self.alive)
            chosen.program.process.send_signal(sign)
            self.told.setdefault(chosen.port, time.monotonic())

    def _restart_broker(self) -> None:
        self.broker.kill()
        self.broker.start()

    def _want(self, count: int) -> None:
        self.wanted = count

    def _leave(self) -> None:
        self._want(max(1, self.wanted - 1))
        self._signal(signal.SIGTERM)


class Writer(threading.Thread):
    """Adds memories until it is told to stop, with poison, and with texts that the model cannot stand."""

    def __init__(self, stream: StreamWorld) -> None:
        super().__init__(name="writer", daemon=True)
        self._stream, self.enough = stream, threading.Event()
        self.written = 0

    def run(self) -> None:
        while not self.enough.wait(0.2):
            some = [f"{self.written + number}: {text}" for number, text in enumerate(texts(6))]
            if self.written % 60 == 0:
                some[3] += " KRYPTONITE"
            with suppress(Unavailable):  # what became of these is read from the log in the end
                self._stream.add(some)
                self._stream.put(_POISON)
            self.written += len(some)


@pytest.mark.faults
@pytest.mark.timeout(PATIENCE + 60)
def test_stream_kills(stream: StreamWorld, broker: Broker) -> None:
    print(f"HM_TEST_SEED={SEED} HM_TEST_KILLS={KILLS}")
    rng = random.Random(SEED)
    crowd, writer = Crowd(stream, rng, broker), Writer(stream)
    writer.start()
    try:
        for _ in range(KILLS):
            crowd.await_work(rng.randrange(5, 40))
            time.sleep(rng.uniform(0, 0.2))
            crowd.strike()
    finally:
        writer.enough.set()
        writer.join(60)
    stream.settle(PATIENCE, crowd.supervise)
    stream.expect_what_is_there()
    dead: list[Position] = [at for at, memory in stream.sent.items() if "KRYPTONITE" in memory.text]
    stream.check(dead)
    print(f"{crowd.done}; ends {crowd.ends}; {len(stream.sent)} memories, {stream.redone} facts twice")
    assert dead
