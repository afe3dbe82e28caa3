"""What stands behind `hm serve`, in this process, and memories that live while an index is rebuilt."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hybrid_memory.index.points import StoredPoint
from hybrid_memory.query.engine import Engine
from hybrid_memory.query.searching import Search
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import CLASSIFIED, MEMORIES, Memory, encode_memory
from tests.integration.sink.test_rebuild import facts_for, life, points
from tests.integration.sink.world import World


def until(condition: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@dataclass
class Serving:
    """An engine, and the log that it follows."""

    world: World
    engine: Engine

    @property
    def shown(self) -> dict[str, StoredPoint]:
        """All live points."""
        with self.engine.searcher().reading() as store:
            return points(store)

    @property
    def generation(self) -> str:
        with self.engine.searcher().reading() as store:
            return store.folder.name  # type: ignore[attr-defined,no-any-return]

    def settle(self) -> None:
        """Until all of both topics, answers to answers too, has been applied."""
        until(self._settled)

    def _settled(self) -> bool:
        assert self.engine.failure is None, self.engine.failure
        cluster = Cluster(self.world.settings)
        with self.engine.searcher().reading() as store:
            positions = store.progress().positions
        topics = [self.world.topic(name) for name in (MEMORIES, CLASSIFIED)]
        return all(
            positions.get((topic.name, number), 0) == end
            for topic in topics
            for number, end in cluster.ends(topic).items()
        )

    def live(self, seed: int, count: int) -> None:
        """Writes, edits, deletes and poison, and then the facts that a stream would say."""
        self.world.send(*life(seed, count))
        self.settle()
        with self.engine.searcher().reading() as store:
            facts = facts_for(self.world, store)
        self.world.send(*facts)
        self.settle()


@contextmanager
def serving(world: World, settings: Settings | None = None) -> Iterator[Serving]:
    """An engine that is ready, while the context lasts."""
    engine = Engine(settings or world.settings, Metrics(), lambda: None)
    engine.start()
    try:
        until(lambda: engine.failure or engine.not_ready() is None)
        if engine.failure is not None:
            raise engine.failure
        yield Serving(world, engine)
    finally:
        engine.stop()
    assert engine.failure is None


@dataclass
class Busy:
    """Writes memories and searches them, until told to stop; what goes wrong is raised in the end."""

    served: Serving
    seed: int = 100
    writes: int = 0
    searches: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _errors: list[BaseException] = field(default_factory=list)

    def write(self) -> None:
        dice = random.Random(self.seed)
        while not self._stop.wait(0.02):
            self.served.world.send(*life(dice.randrange(10**6), 10))
            self.writes += 10

    def search(self) -> None:
        while not self._stop.wait(0.005):
            found = asyncio.run(self.served.engine.searcher().search(Search("user1", "I love sushi")))
            assert found, "a search has found nothing"
            self.searches += 1

    def read_own_writes(self) -> None:
        """What has been applied is there for who asks next, whichever index answers."""
        engine, number = self.served.engine, 0
        while not self._stop.wait(0.01):
            memory = Memory.new(user_id="own", memory_id=f"o{number}", text="mine")
            places = self.served.world.send(encode_memory(memory))
            assert asyncio.run(engine.applied.wait(places, 20)), "it was never applied"
            assert asyncio.run(engine.searcher().get("own", memory.memory_id)), "it was applied and is not there"
            number += 1

    def __enter__(self) -> "Busy":
        works = (self.write, self.search, self.read_own_writes)
        self._threads = [threading.Thread(target=self._guard, args=(work,)) for work in works]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self._errors, self._errors

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._errors.append(error)
