"""A new index, built from what compaction has left of both topics, is the same as the live one."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hybrid_memory.index.points import StoredPoint
from hybrid_memory.index.store import VectorStore
from hybrid_memory.runtime.kafka import Cluster
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
    partition_of,
)
from tests.integration.sink.world import World

TEXTS = ("I love sushi", "My dog is called Rex", "I moved to Lisbon", "I run every morning", "My sister is a nurse")
NOW = datetime.now(UTC)


def life(seed: int, count: int) -> list[NewRecord]:
    """Writes, edits, deletes and poison over 40 memories of 4 users."""
    dice, records = random.Random(seed), []
    for _ in range(count):
        user_id, memory_id = f"user{dice.randrange(4)}", f"m{dice.randrange(10)}"
        kind = dice.random()
        if kind < 0.1:
            records.append(encode_memory(MemoryDeleted(user_id=user_id, memory_id=memory_id)))
        elif kind < 0.15:
            records.append(NewRecord(MEMORIES, f"{user_id}/{memory_id}".encode(), b"{not json"))
        else:
            labels = ("own",) if kind < 0.3 else None
            memory = Memory.new(
                user_id=user_id,
                memory_id=memory_id,
                text=dice.choice(TEXTS),
                classifiers=labels,
                pinned=labels is not None and kind < 0.2,
            )
            records.append(encode_memory(memory, if_seq=dice.randrange(count) if kind > 0.8 else None))
    return records


def points(store: VectorStore) -> dict[str, StoredPoint]:
    """All live points; what they remember of the way there is bookkeeping."""
    found, mark = store.scroll(1000)
    assert mark is None
    return {
        stored.point.key: replace(stored, point=replace(stored.point, stale=(), since=0))
        for stored in found
        if stored.point.live
    }


def facts_for(world: World, store: VectorStore) -> list[NewRecord]:
    """What a stream that has caught up would have said."""
    topic = world.topic(MEMORIES)
    records = []
    for stored in points(store).values():
        point = stored.point
        if point.memory is None or point.source == "provided":
            continue
        partition = partition_of(point.key, topic.partitions)
        origin = Position(topic_id=topic.topic_id, partition=partition, offset=point.seq)
        event = MemoryClassified(
            memory=point.memory,
            seq=point.seq,
            generation=1,
            classifiers=(f"about {point.memory.text}",),
            provenance=MachineProvenance(source="llm", generation=1, at=NOW),
            origin=origin,
        )
        records.append(encode_fact(event, topic.partitions))
    return records


def compact(world: World) -> None:
    """Let compaction run over all but the last record of each partition, and wait until it has."""
    world.configure(MEMORIES, CLASSIFIED, segment_ms="100", min_cleanable_dirty_ratio="0.01", min_compaction_lag_ms="0")


def roll(world: World) -> None:
    """A record in each partition, so that the segment before it is closed and may be cleaned."""
    memories = (Memory.new(user_id="roll", memory_id=f"r{n}", text="tick") for n in range(64))
    world.send(*(encode_memory(memory) for memory in memories))


def lives(world: World) -> int:
    """How many records are left of what `life` wrote and the sink answered."""
    return sum(not (record.key or b"").startswith(b"roll/") for record in world.read(MEMORIES))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rebuilt_index_is_the_live_one(world: World, seed: int) -> None:
    compact(world)
    with world.sink(expect_stream=True) as live:
        world.send(*life(seed, 200))
        live.settle()
        world.send(*facts_for(world, live.store))
        live.settle()
        world.send(*life(seed + 10, 100))
        live.settle()
        world.send(*facts_for(world, live.store))
        before = lives(world)

        def compacted() -> bool:
            roll(world)
            return lives(world) < before

        live.until(compacted, timeout=60)
        live.settle()
        shown = points(live.store)
    assert len(shown) > 20
    letters = len(world.read("dlq.memories"))
    ends = Cluster(world.settings).ends(world.topic(MEMORIES))

    with world.sink("rebuilt", expect_stream=True) as rebuilt:
        rebuilt.settle()
        again = points(rebuilt.store)
    assert {key: stored.point for key, stored in again.items()} == {key: stored.point for key, stored in shown.items()}
    for key, stored in again.items():
        mine, theirs = stored.vectors, shown[key].vectors
        assert mine is not None
        assert theirs is not None
        assert mine.text == pytest.approx(theirs.text, abs=1e-5)
        assert mine.bm25.indices == theirs.bm25.indices
        for vector, other in zip(mine.classifiers, theirs.classifiers, strict=True):
            assert vector == pytest.approx(other, abs=1e-5)

    # It was mute: what the first sink had said already was not said again.
    assert len(world.read("dlq.memories")) == letters
    assert Cluster(world.settings).ends(world.topic(MEMORIES)) == ends
