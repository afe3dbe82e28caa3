"""The check on a real Kafka and a real Edge index: silent beside a system at work, and loud where anything is wrong."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.points import StoredPoint
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import Memory, MemoryDeleted, encode_memory, partition_of
from hybrid_memory.verify.check import Options, Report, verify
from hybrid_memory.verify.follow import Follower
from hybrid_memory.verify.views import StoreView
from tests.e2e.programs import environment, run
from tests.e2e.test_refusals import check_refusal
from tests.integration.sink.test_rebuild import facts_for, life
from tests.integration.sink.world import Running, World


def check(world: World, sink: Running, **options: float) -> Report:
    """Compare while the sink runs. The store stays open."""
    return verify(StoreView(sink.store, moves=True), Follower.of(world.settings), Options(**options))  # type: ignore[arg-type]


def test_it_is_silent_beside_a_system_at_work(world: World) -> None:
    stop = threading.Event()

    def write() -> None:
        """Memories come, change and go, and facts with them; some of it is poison."""
        seed = 0
        while not stop.wait(0.05):
            seed += 1
            world.send(*life(seed, 10))
            world.send(*facts_for(world, sink.store)[:5])

    with world.sink(expect_stream=True) as sink:
        world.send(*life(0, 200))
        writer = threading.Thread(target=write)
        writer.start()
        try:
            reports = [check(world, sink, wait_s=20) for _ in range(4)]
            sampled = check(world, sink, wait_s=20, sample=10)
        finally:
            stop.set()
            writer.join(30)
        for report in (*reports, sampled):
            assert (report.kinds, report.behind) == ({}, []), report
        assert 0 < sampled.compared <= 10
        sink.settle()
        at_rest = check(world, sink)
        assert (at_rest.equal, at_rest.changing) == (True, 0)
        assert at_rest.log == at_rest.index == sink.store.count() > 20
        assert at_rest.compared >= at_rest.log
        assert sum(one.log for one in at_rest.partitions) == at_rest.log


def tamper(world: World, change: Callable[[StoredPoint], StoredPoint]) -> str:
    """Change one live point behind everybody's back; its key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EdgeStore, "_seqs", lambda self, points, live=False: {})  # the store guards against just this
        store = EdgeStore.open(world.folder / "index", HashEmbedder().dimensions)
        [stored, *_] = (one for one in store.scroll(100)[0] if one.point.live)
        store.upsert([change(stored)])
        store.close()
    return stored.point.key


def hm_verify(world: World, *arguments: str, code: int) -> str:
    """`hm verify` on the folder of the world, where no service runs."""
    env = environment(
        HM_KAFKA__BOOTSTRAP_SERVERS=world.settings.bootstrap_servers,
        HM_TOPIC_PREFIX=world.settings.topic_prefix,
        HM_DATA_DIR=str(world.folder),
    )
    done = run("verify", *arguments, env=env)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    return done.stdout


def test_whatever_is_wrong_is_seen_and_the_mend_is_named(world: World) -> None:
    with world.sink() as sink:
        sink.wait(world.send(*(record for record in life(1, 60) if record.value != b"{not json")))
        sink.settle()
    assert "equal: " in hm_verify(world, code=0)

    key = tamper(world, lambda stored: replace(stored, point=replace(stored.point, seq=stored.point.seq + 1000)))
    told = json.loads(hm_verify(world, "--json", code=1))
    assert (told["equal"], told["differences"], told["mends"]) == (False, {"stale": 1}, {"stale": "hm rebuild"})
    assert [one["key"] for one in told["examples"]] == [key]
    said = hm_verify(world, code=1)
    assert key in said
    assert "another version than the log's last" in said
    assert "1 differ" in said

    # A sample that misses what is wrong still sees that something is gone.
    tamper(world, lambda stored: StoredPoint(replace(stored.point, memory=None, state="deleted", classifiers=()), None))
    told = json.loads(hm_verify(world, "--json", "--sample", "1", code=1))
    assert (told["counts_differ"], told["compared"]) == (True, 1)

    number = partition_of("ann/late", world.topic("memories").partitions)
    [position] = world.send(encode_memory(Memory.new(user_id="ann", memory_id="late", text="nobody feeds the index")))
    told = json.loads(hm_verify(world, "--json", code=1))
    topic = world.settings.topic_prefix + "memories"
    behind = {"topic": topic, "partition": number, "applied": position.offset, "end": position.offset + 1}
    assert (told["behind"], told["differences"]["missing"]) == ([behind], 1)
    assert "start what feeds the index" in hm_verify(world, code=1)


def test_a_provisional_memory_that_waits_too_long(world: World) -> None:
    with world.sink(expect_stream=True) as sink:
        sink.wait(world.send(encode_memory(Memory.new(user_id="ann", text="I like tea"))))
        assert check(world, sink).equal
        assert check(world, sink, provisional_s=0.0).kinds == {"provisional": 1}
        assert check(world, sink, provisional_s=3600.0).equal


def test_deleted_memories_need_no_tombstone_and_no_record(world: World) -> None:
    with world.sink() as sink:
        for n in range(20):
            world.send(encode_memory(Memory.new(user_id="ann", memory_id=str(n), text="I like tea")))
        sink.wait(world.send(*(encode_memory(MemoryDeleted(user_id="ann", memory_id=str(n))) for n in range(10))))
        assert check(world, sink).log == 10
        sink.store.purge(2**50)
        report = check(world, sink)
        assert (report.equal, report.log, report.index) == (True, 10, 10)


def test_an_index_of_another_log_is_refused(world: World, tmp_path: Path) -> None:
    with world.sink() as sink:
        sink.wait(world.send(encode_memory(Memory.new(user_id="ann", text="I like tea"))))
        identity = sink.store.identity()
        assert identity is not None
        name = world.settings.topic_prefix + "memories"
        foreign = replace(identity, topics={**identity.topics, name: ("x" * 22, 8)})
        other = EdgeStore.open(tmp_path / "other", HashEmbedder().dimensions)
        other.claim(foreign)
        with pytest.raises(Refusal, match="not a view of this log"):
            verify(StoreView(other, moves=False), Follower.of(world.settings), Options())
        other.close()


def test_without_an_index_it_says_so(world: World, tmp_path: Path) -> None:
    env = environment(
        HM_KAFKA__BOOTSTRAP_SERVERS=world.settings.bootstrap_servers,
        HM_TOPIC_PREFIX=world.settings.topic_prefix,
        HM_DATA_DIR=str(tmp_path / "none"),
    )
    check_refusal(run("verify", env=env), "there is no index", "--url")
    check_refusal(
        run("verify", "--url", "http://127.0.0.1:1", env=env), "http://127.0.0.1:1", "does not answer", "with --url"
    )
    check_refusal(run("verify", "--url", "localhost", env=env), "http://host:8765")
    check_refusal(run("verify", "--provisional-older-than", "soon", env=env), "15m")
    check_refusal(run("verify", env=env | {"HM_TOPIC_PREFIX": "none."}), "none.memories", "hm topics apply")
