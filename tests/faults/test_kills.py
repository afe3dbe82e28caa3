"""`kill -9` of the service and of the broker, at random moments, while memories are published.

Afterwards every memory is there exactly once, at its last confirmed version, and what was deleted is gone.
`HM_TEST_KILLS` says how often (10), `HM_TEST_SEED` which random numbers (new ones; they are printed).
"""

import logging
import os
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from hybrid_memory.client import MemoryClient
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.points import StoredPoint
from hybrid_memory.runtime.kafka import Cluster
from tests.e2e.programs import environment, run, until
from tests.faults.machine import Killer, Machine
from tests.faults.plan import Key, Ledger, Step, lives
from tests.faults.writers import OverHttp, ThroughClient, Way, Writer

KILLS = int(os.environ.get("HM_TEST_KILLS", "10"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))
USERS = 100
MEMORIES = max(2000, 50 * KILLS)
HTTP_WRITERS, CLIENT_WRITERS = 6, 2
PATIENCE = 180.0 + 20 * KILLS
"""Seconds, on a busy machine."""

Shown = dict[Key, tuple[str, int]]
"""Live memories: text and seq."""


@dataclass
class Run:
    """All writers, and what they were told."""

    writers: list[Writer]

    @property
    def published(self) -> int:
        return sum(writer.confirmed for writer in self.writers)

    def ledger(self) -> Ledger:
        whole = Ledger()
        for writer in self.writers:
            whole.last.update(writer.ledger.last)
        return whole

    def work(self, machine: Machine) -> None:
        """Publish everything, then wait until the API shows it."""
        for writer in self.writers:
            writer.start()
        for writer in self.writers:
            writer.join(PATIENCE)
        for writer in self.writers:
            if writer.error is not None:
                raise writer.error
            assert not writer.is_alive(), f"{writer.name} is not done"
        shows(machine, self.ledger())


def test_what_is_wrong_would_be_seen() -> None:
    a, b, c, d = (Key("user", name) for name in "abcd")
    ledger = Ledger()
    for key, text, offset in ((a, "old", 1), (b, "b", 2), (c, "c", 3), (d, "d", 4), (a, "new", 5), (d, None, 6)):
        ledger.confirm(Step(key, text), offset)
    right: Shown = {a: ("new", 5), b: ("b", 2), c: ("c", 3)}
    assert differences(right, ledger.live()) == {}
    wrong: Shown = {a: ("old", 1), b: ("b", 9), d: ("d", 4)}
    assert differences(wrong, ledger.live()).keys() == {a, b, c, d}
    assert ledger.counts() == {"user": 3}


@pytest.mark.faults
@pytest.mark.timeout(PATIENCE + 120)
def test_kills(tmp_path: Path, clean_environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "hybrid_memory.kafka")
    print(f"HM_TEST_SEED={SEED} HM_TEST_KILLS={KILLS}")
    rng = random.Random(SEED)
    machine = Machine.on(tmp_path / "data")
    plan = lives(rng, USERS, MEMORIES)
    steps = sum(len(life) for of_user in plan.values() for life in of_user)
    writing = Run(list(writers(machine, rng, plan)))
    moments = sorted(rng.randrange(int(steps * 0.9)) for _ in range(KILLS))
    try:
        machine.run(writing.work, Killer(random.Random(SEED), moments, lambda: writing.published))
    except BaseException:
        print(f"killed: {machine.killed}\n{machine.log.read_text()[-20_000:]}")
        raise
    assert len(machine.killed) >= KILLS * 0.8
    assert writing.published == steps
    again = sum(writer.again for writer in writing.writers)
    print(f"{steps} steps, {again} tried again; killed: {' '.join(machine.killed)}")

    ledger = writing.ledger()
    live = shown(tmp_path / "data" / "index")
    assert differences(live, ledger.live()) == {}
    assert rebuilt(tmp_path / "data", ledger) == live


def writers(machine: Machine, rng: random.Random, plan: dict[str, list[deque[Step]]]) -> Iterator[Writer]:
    """Each with users of its own."""
    count = HTTP_WRITERS + CLIENT_WRITERS
    deadline = time.monotonic() + PATIENCE
    for number in range(count):
        of_mine = [life for user in list(plan)[number::count] for life in plan[user]]
        mine = random.Random(rng.random())
        way: Way = (
            ThroughClient(MemoryClient(settings=machine.settings, timeout=5))
            if number >= HTTP_WRITERS
            else OverHttp(machine.plan.url, mine)
        )
        yield Writer(way, of_mine, mine, deadline)


def shows(machine: Machine, ledger: Ledger) -> None:
    """Wait until the API shows what must be there; and the dead letters are empty."""
    with httpx.Client(base_url=machine.plan.url, timeout=30) as http:
        until(partial(_counts_are, http, ledger.counts()), 60, lambda: machine.log.read_text()[-5000:])
        for key, (text, _) in random.Random(SEED).sample(sorted(ledger.live().items(), key=str), 50):
            reply = http.post("/search", json={"user_id": key.user_id, "context": text, "limit": 1})
            assert [found["text"] for found in reply.json()["memories"]] == [text]
    cluster = Cluster(machine.settings)
    for topic in cluster.topics(["dlq.memories", "dlq.memories.classified"]).values():
        assert set(cluster.ends(topic).values()) == {0}


def _counts_are(http: httpx.Client, counts: dict[str, int]) -> bool:
    try:
        reply = http.get("/list_users")
    except httpx.TransportError:
        return False
    if reply.status_code != 200:
        return False
    return {entry["user_id"]: entry["memory_count"] for entry in reply.json()["users"]} == counts


def rebuilt(data_dir: Path, ledger: Ledger) -> Shown:
    """What an index shows that is built anew from the log."""
    reset = run("index", "reset", "--data-dir", str(data_dir), env=environment())
    assert reset.returncode == 0, reset.stderr
    machine = Machine.on(data_dir)
    machine.run(lambda machine: shows(machine, ledger))
    return shown(data_dir / "index")


def shown(index: Path) -> Shown:
    """The live memories of an index that nobody uses."""
    store = EdgeStore.open(index, HashEmbedder().dimensions)
    try:
        points = [stored.point for stored in _all(store)]
    finally:
        store.close()
    assert len({point.key for point in points}) == len(points)
    return {
        Key(point.memory.user_id, point.memory.memory_id): (point.memory.text, point.seq)
        for point in points
        if point.memory is not None
    }


def _all(store: EdgeStore) -> Iterator[StoredPoint]:
    mark = None
    while True:
        found, mark = store.scroll(1000, mark)
        yield from found
        if mark is None:
            return


def differences(live: Shown, wanted: Shown) -> dict[Key, Sequence[object]]:
    """Where what is there is not what was confirmed last."""
    keys = live.keys() | wanted.keys()
    return {key: (live.get(key), wanted.get(key)) for key in keys if live.get(key) != wanted.get(key)}
