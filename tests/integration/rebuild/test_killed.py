"""`hm rebuild` as a program: killed in the middle, it goes on."""

import signal
from pathlib import Path

from hybrid_memory.index.asking import ask
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.schemas import Memory, encode_memory
from tests.e2e.programs import Program, environment, hm, run
from tests.integration.rebuild.serving import until
from tests.integration.sink.test_rebuild import points
from tests.integration.sink.world import World

COUNT = 600


def test_killed_in_the_middle_it_goes_on(world: World, kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    memories = (Memory.new(user_id=f"u{n % 7}", memory_id=f"m{n}", text=f"fact number {n}") for n in range(COUNT))
    world.send(*map(encode_memory, memories))
    with world.sink(expect_stream=True) as sink:
        sink.settle()
        shown = points(sink.store)
    names = {"HM_KAFKA__BOOTSTRAP_SERVERS": kafka, "HM_TOPIC_PREFIX": topic_prefix, "HM_DATA_DIR": str(world.folder)}
    env = environment(**names, HM_EXPECT_STREAM="true")
    folder = world.folder / "index.2"

    killed = Program.start(hm("rebuild"), env | {"HM_SINK__BATCH_SIZE": "1"}, tmp_path / "killed.log")
    until((folder / "shard").exists)

    def begun() -> bool:
        assert killed.running, killed.said
        answer = ask(folder, 0, 0, 1)
        return answer is not None and 0 < answer.memories < COUNT

    until(begun)
    killed.stop(signal.SIGKILL)
    left = EdgeStore.open_existing(folder)
    assert 0 < left.count() < COUNT, "it was killed too late"
    left.close()

    done = run("rebuild", env=env)
    assert done.returncode == 0, done.stderr
    assert "going on with" in done.stderr
    assert "is the index now" in done.stderr
    store = EdgeStore.open_existing(folder)
    assert {key: stored.point for key, stored in points(store).items()} == {
        key: stored.point for key, stored in shown.items()
    }
    store.close()
    assert run("rebuild", "drop", env=env).returncode == 0
    said = run("rebuild", "status", "--json", env=env)
    assert '"memories": 600' in said.stdout
    assert run("rebuild", "--no-switch", "drop", env=env).returncode == 2
