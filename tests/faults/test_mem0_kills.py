"""Everything that takes over Mem0's changes under `kill -9`, while the platform misbehaves in every way it can.

Afterwards log and index are as the platform is: nothing missing, nothing extra, nothing resurrected, nothing said
twice. Each fault has happened, and each process was killed. `HM_TEST_KILLS` says how often (10), `HM_TEST_SEED` which
random numbers (new ones; they are printed).
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

# Read when mem0 is imported: it is to ask nobody.
os.environ["MEM0_TELEMETRY"] = "False"

from hybrid_memory.local.ports import free_port
from hybrid_memory.mem0.intake import group_of
from hybrid_memory.mem0.webhook_manage import register
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Mem0Settings, Settings
from hybrid_memory.runtime.topics import apply_topics
from hybrid_memory.schemas import Memory, Record, to_json
from hybrid_memory.schemas.mem0 import MEM0_HINTS
from tests.e2e.programs import Program, environment, hm
from tests.integration.mem0.platform import KEY, PROJECT, FakePlatform
from tests.integration.mem0.platform_faults import Faults
from tests.integration.mem0.world import last, records, resurrected, twice, until, wanted
from tests.integration.sink.world import World

KILLS = int(os.environ.get("HM_TEST_KILLS", "10"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))
CHANGES, USERS, WRITERS = 5000, 200, 4
SECONDS = 0.6 * KILLS
"""For so long changes are made: a process that is killed gets a while to live before it is killed again."""
PATIENCE = 120.0 + 5 * KILLS
MOMENT = datetime(2026, 8, 1, tzinfo=UTC)
TOKEN = "a-token-of-the-tests-0123456789"
PACE = {"rate_per_second": 10_000, "concurrency": 16, "page_size": 50, "feed_seconds": 0.3, "feed_overlap_seconds": 5}
"""Small pages, that shift while they are read; the feed of this platform is never late."""
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "publish": ("mem0", "publish"),
    "webhook": ("mem0", "webhook"),
    "follow": ("mem0", "follow"),
    "sync": ("mem0", "sync", "--watch", "1s", "--no-publish", "--json"),
}


@dataclass
class Doors:
    """The processes, each started again when it ends."""

    env: Mapping[str, str]
    folder: Path
    programs: dict[str, Program] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Those that ended by themselves, and how."""

    def keep(self, stop: threading.Event) -> None:
        while not stop.is_set():
            for name, command in COMMANDS.items():
                self._keep(name, command)
            stop.wait(0.05)

    def kill(self, name: str) -> None:
        if name in self.programs and self.programs[name].process.poll() is None:
            self.programs[name].process.send_signal(signal.SIGKILL)
            self.killed.append(name)

    def ready(self) -> bool:
        """Whether webhooks are taken and hints are followed."""
        ports = (self.env["HM_MEM0__WEBHOOK__PORT"], self.env["HM_MEM0__PORT"])
        with suppress(httpx.TransportError):
            return all(httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200 for port in ports)
        return False

    @property
    def killings(self) -> str:
        return f"killed {dict(Counter(self.killed))}, ended by themselves {self.ended}"

    def said(self) -> str:
        lines = [self.killings]
        for name in COMMANDS:
            path = self.folder / f"{name}.log"
            lines.append(f"--- {name}\n{path.read_text()[-3000:] if path.exists() else ''}")
        return "\n".join(lines)

    def _keep(self, name: str, command: tuple[str, ...]) -> None:
        program = self.programs.get(name)
        if program is not None and program.process.poll() is None:
            return
        if program is not None and program.process.returncode != -signal.SIGKILL:
            self.ended.append(f"{name} {program.process.returncode}")
        self.programs[name] = Program.start(hm(*command), self.env, self.folder / f"{name}.log")


@contextmanager
def kept(doors: Doors) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=doors.keep, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        for program in doors.programs.values():
            program.process.send_signal(signal.SIGTERM)
        for program in doors.programs.values():
            program.process.wait(30)


class Writer(threading.Thread):
    """An application with Mem0's own, unchanged client: adds, updates and deletes memories of its users."""

    def __init__(self, url: str, rng: random.Random, users: list[str], changes: int) -> None:
        super().__init__(daemon=True)
        self._url, self._rng, self._users, self._changes = url, rng, users, changes
        self._mine: list[str] = []
        self.done = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        from mem0 import MemoryClient

        try:
            client = MemoryClient(api_key=KEY, host=self._url)
            began, pace = time.monotonic(), SECONDS / self._changes
            while self.done < self._changes:
                self._change(client)
                self.done += 1
                time.sleep(max(0.0, began + self.done * pace - time.monotonic()))
            client.client.close()
        except BaseException as error:
            self.error = error

    def _change(self, client: Any) -> None:
        rng, kind = self._rng, self._rng.random()
        if kind < 0.45 or not self._mine:
            text = f"note {self.done} of {self.name}"
            self._mine.append(client.add(text, user_id=rng.choice(self._users), infer=False)["results"][0]["id"])
        elif kind < 0.75:
            client.update(rng.choice(self._mine), text=f"changed {self.done} by {self.name}")
        elif kind < 0.8:
            client.update(rng.choice(self._mine), metadata={"seen": self.done})
        else:
            client.delete(self._mine.pop(rng.randrange(len(self._mine))))


FAULTS = ("limited", "failing", "slow", "lost", "doubled", "reordered", "delayed", "superseded", "flat")


def misbehave(faults: Faults) -> None:
    faults.limited, faults.failing, faults.retry_after = 0.02, 0.05, 0.1
    faults.slow, faults.slow_seconds = 0.02, 0.3
    faults.lost, faults.doubled, faults.reordered = 0.2, 0.1, 0.1
    faults.delayed, faults.delay_seconds = 0.2, 1.0
    faults.superseded, faults.flat = 0.02, 0.3


def test_what_is_wrong_would_be_seen() -> None:
    def record(offset: int, key: str, text: str | None, condition: int | None = None) -> Record:
        value = None if text is None else to_json(Memory(user_id="maya", memory_id=key, text=text, created_at=MOMENT))
        headers = () if condition is None else (("hm-if-seq", str(condition).encode()),)
        return Record("memories", 0, offset, 0, f"maya/{key}".encode(), value, headers)

    lost = record(3, "a", "old", condition=1)
    found = [record(0, "a", "old"), record(1, "b", "b"), record(2, "a", "new"), lost, record(4, "b", None)]
    assert {key: memory.text for key, memory in last(found).items()} == {"maya/a": "new"}
    assert twice(found) == []
    assert twice([*found, record(5, "b", None), record(6, "c", None)]) == ["maya/b", "maya/c"]
    assert twice([record(0, "a", "old"), record(1, "a", "old")]) == ["maya/a"]
    assert resurrected([*found, record(5, "b", "old", condition=3)]) == []
    assert resurrected([*found, record(5, "b", "old")]) == ["maya/b"]


@pytest.mark.faults
@pytest.mark.timeout(PATIENCE + 60)
def test_kills(
    kafka: str,
    topic_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    print(f"HM_TEST_SEED={SEED} HM_TEST_KILLS={KILLS}")
    monkeypatch.setenv("MEM0_DIR", str(tmp_path / "mem0"))
    rng, port = random.Random(SEED), free_port()
    with FakePlatform().running() as platform:
        webhook = {"tokens": TOKEN, "port": port}
        mem0 = {"api_key": KEY, "url": platform.url, **PACE, "webhook": webhook}
        settings = Settings(
            kafka={"bootstrap.servers": kafka}, topic_prefix=topic_prefix, mem0=Mem0Settings.model_validate(mem0)
        )
        apply_topics(settings)
        register(settings.mem0, f"http://127.0.0.1:{port}", "ours", as_json=True)
        platform.faults.rng.seed(SEED)
        misbehave(platform.faults)
        doors = Doors(_env(settings), tmp_path)
        with kept(doors):
            until(doors.ready, PATIENCE, doors.said)
            _write_and_kill(platform, doors, rng)
            until(lambda: _settled(settings, platform), PATIENCE, doors.said, every=0.5)
        found = records(settings)
        print(f"{CHANGES} changes, {len(found)} records, {len(twice(found))} without cause; {doors.killings}; "
              f"webhooks: {platform.webhooks.sent} taken, {platform.webhooks.refused} not; "
              f"faults: {dict(platform.faults.happened)}")  # fmt: skip
        assert len(doors.killed) >= KILLS * 0.8
        assert set(doors.killed) == set(COMMANDS)
        assert all(platform.faults.happened[fault] for fault in FAULTS)
        assert last(found) == wanted(platform)
        assert resurrected(found) == []
        assert twice(found) == []
        assert records(settings, "dlq.mem0.hints") == []
        with Publisher(settings) as publisher:
            _index_is_as(platform, World(settings, tmp_path, publisher))


def _settled(settings: Settings, platform: FakePlatform) -> bool:
    """Whether no hint is on its way or waits, and the log is as the platform is."""
    log = Log(settings, quiet=True)
    hints = log.topic(settings.topic_prefix + MEM0_HINTS)
    done, ends = log.cluster.committed_by(group_of(settings, PROJECT), [hints]), log.cluster.ends(hints)
    followed = all(done.get((hints.name, number), 0) >= end for number, end in ends.items())
    return platform.webhooks.idle() and followed and last(records(settings)) == wanted(platform)


def _victims(rng: random.Random) -> Iterator[str]:
    """All in turn, in an order that nobody knows."""
    while True:
        yield from rng.sample(list(COMMANDS), len(COMMANDS))


def _write_and_kill(platform: FakePlatform, doors: Doors, rng: random.Random) -> None:
    users = [f"user {number}" for number in range(USERS)]
    writers = [
        Writer(platform.url, random.Random(rng.random()), users[number::WRITERS], CHANGES // WRITERS)
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    victims = _victims(rng)
    for moment in sorted(rng.randrange(CHANGES) for _ in range(KILLS)):
        until(lambda: sum(writer.done for writer in writers) >= moment * 0.95, PATIENCE, doors.said)  # noqa: B023
        time.sleep(rng.uniform(0, 0.4))
        doors.kill(next(victims))
    for writer in writers:
        writer.join(PATIENCE)
        assert not writer.is_alive()
        if writer.error is not None:
            raise writer.error


def _index_is_as(platform: FakePlatform, world: World) -> None:
    with world.sink() as running:
        running.settle()
        points, mark = running.store.scroll(100_000, None)
    assert mark is None
    shown = {stored.point.key: stored.point.memory for stored in points if stored.point.memory is not None}
    assert shown == wanted(platform)


def _env(settings: Settings) -> dict[str, str]:
    mem0 = settings.mem0
    return environment(
        HM_KAFKA__BOOTSTRAP_SERVERS=settings.bootstrap_servers,
        HM_TOPIC_PREFIX=settings.topic_prefix,
        HM_MEM0__API_KEY=KEY,
        HM_MEM0__URL=mem0.url,
        **{f"HM_MEM0__{name.upper()}": str(value) for name, value in PACE.items()},
        HM_MEM0__PORT=str(free_port()),
        HM_MEM0__WEBHOOK__TOKENS=TOKEN,
        HM_MEM0__WEBHOOK__PORT=str(mem0.webhook.port),
    )
