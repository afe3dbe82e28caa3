"""Topics of their own on a real broker, memories in them, and stream processes that classify them."""

import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from confluent_kafka.admin import NewTopic

from hybrid_memory.local.ports import free_port
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    DecodeError,
    Memory,
    MemoryClassified,
    NewRecord,
    Position,
    decode_fact,
    decode_memory,
    encode_memory,
)
from hybrid_memory.schemas.registry import load_registry
from tests.e2e.programs import ROOT, Program, environment, until
from tests.integration.sink.world import World
from tests.stream_process import Manner, answer

DLQ = f"dlq.{MEMORIES}"
GROUP = "hm-classify"


def make_topics(settings: Settings, partitions: int, **config: str) -> None:
    """The registry's topics that the stream needs, with a partition count and settings of the test's own."""
    cluster = Cluster(settings)
    wanted = [
        NewTopic(settings.topic_prefix + spec.name, partitions, 1, config={**spec.config, **config})
        for spec in load_registry()
        if spec.name in (MEMORIES, CLASSIFIED, DLQ)
    ]
    for future in cluster.admin.create_topics(wanted).values():
        future.result(30)
    until(lambda: len(cluster.topics(topic.topic for topic in wanted)) == len(wanted), 20)


@dataclass
class Worker:
    """A stream process."""

    program: Program
    port: int
    place: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def readiness(self) -> str:
        """`ok`, or why it is not ready."""
        try:
            reply = httpx.get(f"{self.url}/readyz", timeout=5)
        except httpx.TransportError as error:
            return repr(error)
        return "ok" if reply.status_code == 200 else str(reply.json()["detail"])

    def until_ready(self, seconds: float = 30) -> "Worker":
        until(lambda: self._alive() and self.readiness() == "ok", seconds, lambda: self.program.said[-3000:])
        return self

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = httpx.get(f"{self.url}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)

    @property
    def has_worked(self) -> bool:
        """Whether it has classified anything."""
        try:
            return self.metric("hm_batch_size_count") > 0
        except httpx.TransportError:
            return False

    def end(self, sign: signal.Signals = signal.SIGTERM, deadline: float = 30) -> int:
        return self.program.stop(sign, deadline)

    def _alive(self) -> bool:
        assert self.program.running, f"it ended: {self.program.said[-3000:]}"
        return True


@dataclass
class StreamWorld:
    """What the tests do, and what must be so at the end."""

    world: World
    workers: list[Worker] = field(default_factory=list)
    sent: dict[Position, Memory] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.world.settings

    @property
    def topic(self) -> TopicInfo:
        return self.world.topic(MEMORIES)

    def start(self, manner: Manner | None = None, **env: str) -> Worker:
        """A stream process that classifies in this manner, in a folder of its own."""
        manner = manner or Manner()
        port = free_port()
        names = {
            "HM_KAFKA__BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "HM_TOPIC_PREFIX": self.settings.topic_prefix,
            "HM_STREAM__PORT": str(port),
            "HM_STREAM__WAIT_SECONDS": "0.05",
        }
        names |= {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
        place = self.world.folder / f"stream-{len(self.workers)}"
        place.mkdir()
        command = [sys.executable, "-W", "error", "-m", "tests.stream_process"]
        inside = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(place), *command]
        output = place.with_suffix(".log")
        program = Program.start(inside, environment(**{**names, **manner.env, **self.env, **env}), output)
        self.workers.append(Worker(program, port, place))
        return self.workers[-1]

    def add(self, texts: Iterable[str]) -> list[Position]:
        """Memories with these texts, each of which is to get its fact."""
        return self.add_memories(
            Memory.new(user_id=f"user {number % 7}", text=text) for number, text in enumerate(texts)
        )

    def add_memories(self, memories: Iterable[Memory]) -> list[Position]:
        """Memories, each of which is to get its fact."""
        memories = list(memories)
        positions = self.world.send(*(encode_memory(memory) for memory in memories))
        self.sent.update(zip(positions, memories, strict=True))
        return positions

    def expect_what_is_there(self) -> None:
        """From now on, each memory in the log is to have its fact: a writer does not know what became of a record that
        was not confirmed."""
        for record in self.world.read(MEMORIES):
            with suppress(DecodeError):
                memory = decode_memory(record)
                if isinstance(memory, Memory):
                    at = Position(topic_id=self.topic.topic_id, partition=record.partition, offset=record.offset)
                    self.sent[at] = memory

    def put(self, *records: NewRecord) -> list[Position]:
        """Records of which no fact is expected."""
        return self.world.send(*records)

    @property
    def committed(self) -> dict[int, int]:
        """What the stream's group has committed, partition by partition."""
        group = self.settings.topic_prefix + GROUP
        return {at: offset for (_, at), offset in Cluster(self.settings).committed_by(group, [self.topic]).items()}

    @property
    def ends(self) -> dict[int, int]:
        return {at: end for at, end in Cluster(self.settings).ends(self.topic).items() if end}

    def settle(self, seconds: float = 30, supervise: Callable[[], object] = lambda: None) -> None:
        """Until the group's offsets stand at the end of `memories`."""

        def settled() -> bool:
            supervise()
            with suppress(Unavailable):  # the broker has just started, or is being killed
                return self.committed == self.ends
            return False

        until(settled, seconds, lambda: f"{self.committed} of {self.ends}; {self.said()}")

    def said(self) -> str:
        return "\n".join(f"--- {worker.program.said[-2500:]}" for worker in self.workers)

    def facts(self) -> dict[str, list[MemoryClassified]]:
        """All facts, by their keys."""
        found: dict[str, list[MemoryClassified]] = {}
        for record in self.world.read(CLASSIFIED):
            fact = decode_fact(record)
            assert isinstance(fact, MemoryClassified)
            found.setdefault(fact.key, []).append(fact)
        return found

    def letters(self) -> Counter[tuple[str, str]]:
        """Partition and offset of each record in the dead letters."""
        return Counter(
            (record.header("__connect.errors.partition") or "", record.header("__connect.errors.offset") or "")
            for record in self.world.read(DLQ)
        )

    def check(self, dead: Iterable[Position] = ()) -> None:
        """Every memory has one fact, with the right classifiers, and no other record has; these alone are dead."""
        dead = set(dead)
        facts = self.facts()
        assert sorted((fact.origin.partition, fact.seq) for [fact, *_] in facts.values()) == sorted(
            (at.partition, at.offset) for at in self.sent
        )
        for same in facts.values():
            assert len({fact.classifiers for fact in same}) == 1
            [fact, *_] = same
            memory = self.sent[fact.origin]
            assert (fact.memory, fact.generation) == (fact.memory, 1)
            assert fact.memory.text == memory.text
            assert fact.provenance.source == ("rules" if fact.origin in dead else "llm")
            if fact.origin not in dead:
                assert fact.classifiers == answer(memory.text)
        assert set(self.letters()) == {(str(at.partition), str(at.offset)) for at in dead}
        assert self.committed == self.ends

    @property
    def redone(self) -> int:
        """How many facts were sent more than once."""
        return sum(len(same) - 1 for same in self.facts().values())


@contextmanager
def stream_world(settings: Settings, folder: Path) -> Iterator[StreamWorld]:
    """A world on topics that are there; its processes end with it."""
    with Publisher(settings) as publisher:
        world = StreamWorld(World(settings, folder, publisher))
        try:
            yield world
        finally:
            for worker in world.workers:
                if worker.program.running:
                    worker.program.process.kill()
                    worker.program.process.wait()


def texts(count: int, words: str = "tea chess Oslo jazz bread lake piano garden") -> list[str]:
    """Different texts."""
    rng = random.Random(count)
    return [f"memory {number}: {' '.join(rng.choices(words.split(), k=5))}" for number in range(count)]
