"""A topic out of which compaction has taken records: commits follow what was done, not what is counted."""

import random
import time

from hybrid_memory.schemas import MEMORIES, Memory, Position
from tests.e2e.programs import until
from tests.integration.stream.world import StreamWorld, make_topics, stream_world
from tests.stream_process import Manner

KEYS, ROUNDS = 90, 9


def test_commits_reach_the_end_of_a_topic_with_gaps(stream: StreamWorld) -> None:
    prefix = f"{stream.settings.topic_prefix}compacted."
    settings = stream.settings.model_copy(update={"topic_prefix": prefix})
    fast = {"segment.ms": "50", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0"}
    make_topics(settings, 1, **fast)
    with stream_world(settings, stream.world.folder) as world:
        written = compacted(world)
        worker = world.start(Manner(batch_size=8, rate=200)).until_ready()
        world.settle()
        assert worker.end() == 0
        assert world.committed == world.ends
        facts = world.facts()
        latest = {(memory.key, at.offset) for at, memory in written}
        assert latest <= {(fact.memory.key, fact.seq) for [fact, *_] in facts.values()}
        again = world.start(Manner(batch_size=8)).until_ready()
        assert again.metric("hm_records_total") == 0


def compacted(world: StreamWorld) -> list[tuple[Position, Memory]]:
    """Many versions of some memories, most of them gone; the last of each."""
    rng = random.Random(1)
    for version in range(ROUNDS):
        memories = [
            Memory.new(user_id="ann", memory_id=str(key), text=f"version {version} of {key}")
            for key in rng.sample(range(KEYS), KEYS // 3)  # so that what is left has gaps of many lengths
        ]
        world.add_memories(memories)
        time.sleep(0.06)  # a segment is as old as it gets
    end = sum(world.ends.values())
    until(lambda: len(world.world.read(MEMORIES)) < end * 0.6, 30)
    last: dict[str, tuple[Position, Memory]] = {}
    for at, memory in world.sent.items():
        last[memory.key] = (at, memory)
    return list(last.values())
