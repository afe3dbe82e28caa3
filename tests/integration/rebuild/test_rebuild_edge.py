"""`hm rebuild` beside an `hm serve` with an embedded index: real Kafka, real Edge."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest
import qdrant_edge

from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.folders import FolderGenerations
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.store import Progress
from hybrid_memory.query import engine as engine_module
from hybrid_memory.rebuild import run as run_module
from hybrid_memory.rebuild.others import back, drop, standings
from hybrid_memory.rebuild.run import Options, rebuild
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.schemas import CLASSIFIED, MEMORIES, Memory, encode_memory
from tests.integration.rebuild.serving import Busy, Serving, serving, until
from tests.integration.sink.test_rebuild import points
from tests.integration.sink.world import World


def generations(world: World) -> FolderGenerations:
    return FolderGenerations(world.settings.data_dir)


def ends(world: World) -> list[dict[int, int]]:
    """Of both topics and the dead letters."""
    cluster = Cluster(world.settings)
    return [cluster.ends(world.topic(name)) for name in (MEMORIES, CLASSIFIED, "dlq.memories")]


def check_equal_to_a_fresh_fold(world: World, served: Serving) -> None:
    served.settle()
    with world.sink("fresh", expect_stream=True) as fresh:
        fresh.settle()
        assert {key: stored.point for key, stored in points(fresh.store).items()} == {
            key: stored.point for key, stored in served.shown.items()
        }


def test_a_live_switch_beside_writes_deletes_answers_and_searches(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(world) as served:
        served.live(1, 200)
        served.world.send(encode_memory(Memory.new(user_id="user1", memory_id="stays", text="I love sushi")))
        served.settle()
        with Busy(served) as busy:
            until(lambda: busy.writes > 50)
            assert rebuild(world.settings, Options()) == 0
            assert served.generation == "index.2"
            searched, written = busy.searches, busy.writes
            until(lambda: busy.searches > searched + 10 and busy.writes > written + 50)
        said = capfd.readouterr().err
        assert "hm serve has gone over to it" in said
        assert "differs" not in said

        check_equal_to_a_fresh_fold(world, served)
        assert [(one.name, one.role, one.behind) for one in standings(world.settings)] == [
            ("index.2", "serving", 0),
            ("index", "kept", ends_behind(world, served)),
        ]
        with pytest.raises(Refusal, match=r"still kept.*hm rebuild drop"):
            rebuild(world.settings, Options())
        assert "index was dropped" in drop(world.settings)
        assert not (world.folder / "index").exists()
        with pytest.raises(Refusal, match="no other generation"):
            drop(world.settings)
    with serving(world) as again:
        assert again.generation == "index.2"


def ends_behind(world: World, served: Serving) -> int:
    """By how much the folder that was left stands behind."""
    store = EdgeStore.open_existing(world.folder / "index")
    positions = store.progress().positions
    store.close()
    with served.engine.searcher().reading() as now:
        return sum(at - positions.get(place, 0) for place, at in now.progress().positions.items())


@pytest.mark.slow
def test_it_is_mute_and_goes_no_further_than_what_is_answered(world: World) -> None:
    """Nobody serves: what nobody has answered yet is left to the sink that will serve from the new index."""
    with serving(world) as served:
        served.live(2, 150)
    world.send(*[encode_memory(Memory.new(user_id="user1", memory_id=f"late{n}", text="late")) for n in range(20)])
    before = ends(world)
    assert rebuild(world.settings, Options()) == 0
    assert ends(world) == before
    store = EdgeStore.open_existing(world.folder / "index.2")
    assert not [key for key in points(store) if "late" in key]
    store.close()
    with serving(world) as served:
        assert served.generation == "index.2"
        check_equal_to_a_fresh_fold(world, served)
        assert len([key for key in served.shown if "late" in key]) == 20


@pytest.mark.slow
def test_searches_never_go_back(world: World) -> None:
    """Though the new index is behind when it becomes current."""
    with serving(world) as served:
        served.live(13, 20)
        assert rebuild(world.settings, Options(switch=False)) == 0
        news = [Memory.new(user_id="own", memory_id=f"n{number}", text=f"news {number}") for number in range(300)]
        world.send(*map(encode_memory, news))
        served.settle()
        generations(world).switch("index.2")

        def gone_over() -> bool:
            assert asyncio.run(served.engine.searcher().get("own", "n299")), "a memory was there, and is not any more"
            return served.generation == "index.2"

        until(gone_over)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            assert gone_over()


@pytest.mark.slow
def test_another_embedder(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(world) as served:
        served.live(3, 100)
        monkeypatch.setattr(run_module, "make_embedder", lambda settings: HashEmbedder(64))
        assert rebuild(world.settings, Options()) == 0
        assert "what serves with hash-v1-384 goes on with the one before" in capfd.readouterr().err
        # What serves goes on, and follows the log.
        served.live(4, 50)
        assert served.generation == "index"
        with pytest.raises(Refusal, match=r"index is in use.*stop that one first"):
            drop(world.settings)
    with (
        pytest.raises(Refusal, match=r"hash-v1-64.*hm rebuild|64 dimensions|384 dimensions.*hm rebuild"),
        serving(world),
    ):
        pass
    monkeypatch.setattr(engine_module, "make_embedder", lambda settings: HashEmbedder(64))
    with serving(world) as served:
        assert served.generation == "index.2"
        served.settle()
        shown = served.shown
        assert all(stored.vectors is not None and len(stored.vectors.text) == 64 for stored in shown.values())
    with world.sink("fresh", expect_stream=True) as fresh:
        fresh.settle()
        assert {key: stored.point.seq for key, stored in points(fresh.store).items()} == {
            key: stored.point.seq for key, stored in shown.items()
        }


@pytest.mark.slow
def test_what_differs_is_not_switched_to(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(world) as served:
        served.live(5, 100)
    assert rebuild(world.settings, Options(switch=False)) == 0
    assert generations(world).current() == "index"
    store = EdgeStore.open_existing(world.folder / "index.2")
    found, _ = store.scroll(1000)
    lost = next(stored for stored in found if stored.point.live)
    store._update(qdrant_edge.UpdateOperation.delete_points([lost.point.id]))
    store.close()
    with pytest.raises(Refusal, match=r"nothing was switched.*--force"):
        rebuild(world.settings, Options())
    assert "differs" in capfd.readouterr().err
    assert generations(world).current() == "index"
    assert rebuild(world.settings, Options(force=True)) == 0
    assert generations(world).current() == "index.2"


@pytest.mark.slow
def test_there_and_back(world: World) -> None:
    with serving(world) as served:
        served.live(6, 60)
        assert rebuild(world.settings, Options()) == 0
        served.live(7, 60)
        assert "is the index again" in back(world.settings)
        until(lambda: served.generation == "index")
        served.live(8, 60)
        check_equal_to_a_fresh_fold(world, served)
        with pytest.raises(Refusal, match="no older generation"):
            back(world.settings)
        assert rebuild(world.settings, Options()) == 0  # the other one catches up
        assert served.generation == "index.2"
        served.live(9, 20)
    shutil.rmtree(world.folder / "fresh")
    with serving(world) as served:
        check_equal_to_a_fresh_fold(world, served)


@pytest.mark.slow
def test_a_lost_disk(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(world) as served:
        served.live(10, 60)
        shown = served.shown
    shutil.rmtree(world.folder / "index")
    with pytest.raises(Refusal, match=r"index does not exist.*--data-dir.*where it was lost.*hm rebuild --create"):
        rebuild(world.settings, Options())
    assert generations(world).names() == []
    assert rebuild(world.settings, Options(create=True)) == 0
    said = capfd.readouterr().err
    assert "no index to compare" in said
    assert "is kept" not in said
    with serving(world) as served:
        served.settle()
        assert served.shown.keys() == shown.keys()


@pytest.mark.slow
def test_an_index_that_has_missed_deletes_is_not_gone_back_to(world: World) -> None:
    with serving(world) as served:
        served.live(12, 20)
    assert rebuild(world.settings, Options()) == 0
    world.send(encode_memory(Memory.new(user_id="user1", memory_id="new", text="news")))
    old = EdgeStore.open_existing(world.folder / "index")
    old.advance(Progress({}, int(time.time() * 1000) - 28 * 86_400_000))
    old.close()
    with pytest.raises(Refusal, match=r"index cannot be gone back to.*28\.0 days ago.*nothing was changed"):
        back(world.settings)
    assert generations(world).current() == "index.2"


@pytest.mark.slow
def test_what_cannot_be_done(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"no index follows this log yet.*hm serve"):
        rebuild(world.settings, Options())
    assert generations(world).names() == []
    with serving(world) as served:
        served.live(11, 20)
    with pytest.raises(Refusal, match="no older generation"):
        back(world.settings)
    assert rebuild(world.settings, Options(switch=False)) == 0
    held = EdgeStore.open_existing(world.folder / "index.2")
    with pytest.raises(Refusal, match="in use by another process; is it being built already"):
        rebuild(world.settings, Options())
    held.close()
    for other in (HashEmbedder(64), HashEmbedder()):
        other.name = "other"
        monkeypatch.setattr(run_module, "make_embedder", lambda settings, other=other: other)
        with pytest.raises(Refusal, match=r"was begun and cannot be gone on with.*hm rebuild drop"):
            rebuild(world.settings, Options())
    (tmp_path / "index.current").write_text("../elsewhere\n")
    with pytest.raises(Refusal, match="no generation of the index; correct it"):
        rebuild(world.settings, Options())
