"""Several sinks on one index on a server: they join, leave, die and wake up again while memories are written.

The server is qdrant-client's local mode behind one lock; Kafka and its consumer group are real.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from qdrant_client import QdrantClient

from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.points import StoredPoint
from hybrid_memory.index.server import ServerStore
from hybrid_memory.runtime import kafka as runtime_kafka
from hybrid_memory.runtime import membership
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import SinkSettings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    MachineProvenance,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    NewRecord,
    Position,
    encode_fact,
    encode_memory,
)
from tests.integration.index.local_server import SETTINGS, local_client, local_store
from tests.integration.sink.world import Running, World

NOW = datetime.now(UTC)
SMALL = SinkSettings(batch_size=16, housekeeping_seconds=0.5)


@pytest.fixture
def server() -> Iterator[QdrantClient]:
    client = local_client()
    yield client
    client.close()


def store_on(server: QdrantClient) -> ServerStore:
    return local_store(server, HashEmbedder().dimensions)


def memory(memory_id: str, text: str) -> Memory:
    return Memory.new(user_id="ann", memory_id=memory_id, text=text)


def fact(world: World, of: Memory, at: Position, label: str, generation: int = 1) -> NewRecord:
    event = MemoryClassified(
        memory=of,
        seq=at.offset,
        generation=generation,
        classifiers=(label,),
        provenance=MachineProvenance(source="llm", model="test", generation=generation, at=NOW),
        origin=at,
    )
    return encode_fact(event, world.topic(CLASSIFIED).partitions)


def share(running: Running) -> frozenset[int]:
    member = running.sink._member
    return member.partitions if member else frozenset()


def committed(running: Running) -> dict[tuple[str, int], int]:
    """What lag tools see of this index, in both topics."""
    identity, world = running.store.identity(), running.world
    assert identity is not None
    topics = [world.topic(name) for name in (MEMORIES, CLASSIFIED)]
    return Cluster(world.settings).committed(f"hm-sink-{identity.index_id}", topics)


class Killed(BaseException):
    pass


class Doomed(ServerStore):
    """Half of a batch is written, and the process that wrote it is no more."""

    doomed = False

    def upsert(self, points: Sequence[StoredPoint]) -> None:
        if self.doomed and len(points) > 1:
            super().upsert(points[: len(points) // 2])
            raise Killed
        super().upsert(points)


class Sleeper(ServerStore):
    """Stops just before it writes, for as long as it is told to."""

    asleep = threading.Event()
    awake = threading.Event()

    def upsert(self, points: Sequence[StoredPoint]) -> None:
        self.asleep.set()
        assert self.awake.wait(60)
        super().upsert(points)


@dataclass
class Writer:
    """Writes, edits, deletes and classifies memories at random, and remembers how each must end."""

    world: World
    stop: threading.Event = field(default_factory=threading.Event)
    shown: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    written: int = 0

    def run(self) -> None:
        pick = random.Random(7)
        while not self.stop.is_set() and self.written < 5000:
            self._round(pick)

    def _round(self, pick: random.Random) -> None:
        ids = pick.sample([f"m{number}" for number in range(120)], 20)
        texts = {id_: None if pick.random() < 0.15 else f"fact {pick.random()}" for id_ in ids}
        made = {id_: memory(id_, text) for id_, text in texts.items() if text is not None}
        records = [encode_memory(made.get(id_) or MemoryDeleted(user_id="ann", memory_id=id_)) for id_ in ids]
        places = dict(zip(ids, self.world.send(*records), strict=True))
        labels = {id_: f"label {pick.randrange(50)}" for id_ in made if pick.random() < 0.5}
        self.world.send(*(fact(self.world, made[id_], places[id_], label) for id_, label in labels.items()))
        self.shown |= {id_: (texts[id_], labels.get(id_)) for id_ in ids}
        self.written += len(ids)


@pytest.mark.slow
def test_sinks_join_leave_and_die_while_memories_are_written(world: World, server: QdrantClient) -> None:
    writer = Writer(world)
    writing = threading.Thread(target=writer.run)
    with ExitStack() as stack:
        first = ExitStack()
        one = first.enter_context(world.sink_on(store_on(server), shared=True, sink=SMALL))
        one.until(lambda: len(share(one)) == 8)
        writing.start()
        stack.callback(writing.join)
        stack.callback(writer.stop.set)

        two = stack.enter_context(world.sink_on(store_on(server), shared=True, sink=SMALL))
        two.until(lambda: len(share(two)) == len(share(one)) == 4)
        assert not share(one) & share(two)
        first.close()  # it leaves, and says so
        two.until(lambda: len(share(two)) == 8)

        doomed = Doomed(server, SETTINGS.collection, HashEmbedder().dimensions)
        with pytest.raises(Killed):
            _run_until_it_dies(world, doomed)
        two.until(lambda: len(share(two)) == 8)

        four = stack.enter_context(world.sink_on(store_on(server), shared=True, sink=SMALL))
        four.until(lambda: len(share(four)) == 4)
        writer.stop.set()
        writing.join(30)
        assert writer.written > 200, "nothing was written while they came and went"
        two.settle()

        points = {id_: two.point(id_) for id_ in writer.shown}
        for id_, (text, label) in writer.shown.items():
            point = points[id_]
            assert (point.memory.text if point.memory else None) == text, id_
            if label is not None:
                assert point.classifiers == (label,), id_
        last = {record.key: record.offset for record in world.read(MEMORIES)}
        assert {point.seq for point in points.values()} <= set(last.values())
        assert all(point.seq == last[point.key.encode()] for point in points.values())
        two.until(lambda: committed(two) == two.store.progress().positions)


@pytest.mark.slow
def test_a_sink_that_wakes_up_late_does_no_harm(
    world: World, server: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read a batch; then it sleeps until the group has given its share to another, who goes further."""
    sleeper = Sleeper(server, SETTINGS.collection, HashEmbedder().dimensions)
    store_on(server)
    real = runtime_kafka.make_consumer
    soon = {"max.poll.interval.ms": 3000}
    monkeypatch.setattr(
        membership, "make_consumer", lambda settings, group, **ours: real(settings, group, **ours, **soon)
    )
    with world.sink_on(sleeper, shared=True) as late:
        late.until(lambda: len(share(late)) == 8)
        monkeypatch.undo()
        old = {id_: memory(id_, f"I love the {id_}") for id_ in ("classified", "edited", "deleted", "same")}
        at = dict(zip(old, world.send(*map(encode_memory, old.values())), strict=True))
        assert Sleeper.asleep.wait(20)

        with world.sink_on(store_on(server), shared=True) as quick:
            quick.until(lambda: len(share(quick)) == 8, 60)
            edited = memory("edited", "I hate it now")
            sent = world.send(encode_memory(edited), encode_memory(MemoryDeleted(user_id="ann", memory_id="deleted")))
            world.send(fact(world, old["classified"], at["classified"], "love", generation=2))
            quick.settle()
            before = {id_: quick.point(id_) for id_ in old}
            positions = quick.store.progress().positions
            assert before["classified"].classifiers == ("love",)

            Sleeper.awake.set()
            late.until(lambda: late.sink.state.name == "running" and share(late) != frozenset(range(8)), 60)
            quick.settle()
            assert {id_: quick.point(id_) for id_ in old} == before
            now = quick.store.progress().positions
            assert all(now[place] >= offset for place, offset in positions.items())
            assert before["edited"].seq == sent[0].offset
        late.until(lambda: len(share(late)) == 8)
        [last] = world.send(encode_memory(memory("same", "I go on")))
        late.wait([last])


@pytest.mark.slow
def test_an_older_group_protocol_does_too(world: World, server: QdrantClient) -> None:
    older = world.settings.kafka | {"group.protocol": "classic"}
    with world.sink_on(store_on(server), shared=True, kafka=older) as one:
        one.until(lambda: len(share(one)) == 8)
        with world.sink_on(store_on(server), shared=True, kafka=older) as two:
            two.until(lambda: len(share(two)) == len(share(one)) == 4, 40)
            assert not share(one) & share(two)
            world.send(*(encode_memory(memory(f"m{number}", "I love sushi")) for number in range(30)))
            one.settle()
        one.until(lambda: len(share(one)) == 8, 40)


def _run_until_it_dies(world: World, store: Doomed) -> None:
    with world.sink_on(store, shared=True, sink=SMALL) as sink:
        sink.until(lambda: len(share(sink)) == 4)
        store.doomed = True
        _until(lambda: isinstance(sink.error, Killed))


def _until(condition: Callable[[], object], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
