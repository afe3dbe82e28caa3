"""The contract on a real Edge index, and what only Edge can get wrong."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import qdrant_edge

from hybrid_memory.index import edge_schema as schema
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.edge_folder import looking_at
from hybrid_memory.index.payload import to_payload
from hybrid_memory.runtime.errors import Refusal
from tests.integration.index.build import DIMENSIONS, ask, live, tombstone
from tests.integration.index.contract import StoreContract, everything

WRITER = Path(__file__).with_name("endless_writer.py")


class TestEdge(StoreContract):
    def open(self, where: Path) -> EdgeStore:
        return EdgeStore.open(where, DIMENSIONS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def store(folder: Path) -> Iterator[EdgeStore]:
    store = EdgeStore.open(folder, DIMENSIONS)
    yield store
    store.close()


def refusal(folder: Path, dimensions: int = DIMENSIONS) -> str:
    with pytest.raises(Refusal) as caught:
        EdgeStore.open(folder, dimensions)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_in_use_is_refused(store: EdgeStore, folder: Path) -> None:
    assert "in use by another process" in refusal(folder)
    code = "import sys; from pathlib import Path; from hybrid_memory.index.edge import EdgeStore\n"
    code += f"EdgeStore.open(Path(sys.argv[1]), {DIMENSIONS})"
    other = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=60)
    assert "Refusal: the index in" in other.stderr
    assert "in use by another process" in other.stderr
    store.close()
    EdgeStore.open(folder, DIMENSIONS).close()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written: Not a directory" in refusal(tmp_path / "file" / "index")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir(mode=0o500)
    assert "cannot be written" in refusal(tmp_path / "index")


@pytest.mark.parametrize("name", ["edge_config.json", "segment.json", "mutable_id_tracker.mappings", "version.info"])
def test_a_damaged_index_is_refused(store: EdgeStore, folder: Path, name: str) -> None:
    store.upsert([live()])
    store.close()
    (damaged,) = folder.rglob(name)
    damaged.write_bytes(b"\xff\xfe damaged")
    assert "cannot be opened" in refusal(folder)
    assert "from Kafka" in refusal(folder), "the lock was not let go"


def test_an_index_of_other_dimensions_is_refused(store: EdgeStore, folder: Path) -> None:
    store.close()
    assert f"for vectors of {DIMENSIONS * 2} dimensions" in refusal(folder, DIMENSIONS * 2)


def test_an_index_that_was_never_finished_is_made_again(folder: Path) -> None:
    (folder / "shard.unfinished" / "segments").mkdir(parents=True)
    EdgeStore.open(folder, DIMENSIONS).close()
    assert not (folder / "shard.unfinished").exists()


def test_optimizing_changes_no_answer(store: EdgeStore) -> None:
    store.upsert([live(f"green tea {n}", id=str(n), classifiers=("tea", "work")) for n in range(300)])
    store.upsert([tombstone(id=str(n)) for n in range(100)])
    before, stored = store.search(ask("green tea 200")), everything(store)
    store.optimize()
    assert store.search(ask("green tea 200")) == before
    assert everything(store) == stored


def test_a_hit_of_another_user_is_never_shown(store: EdgeStore) -> None:
    """A damaged point: its flat payload says ann, its memory says bob."""
    stored = live(user="bob")
    payload = to_payload(stored.point) | {"user_id": "ann"}
    point = qdrant_edge.Point(stored.point.id, schema.vectors_of(stored), payload)
    store._shard.update(qdrant_edge.UpdateOperation.upsert_points([point]))
    with pytest.raises(RuntimeError, match="not that user's memory"):
        store.search(ask("tea", user="ann"))
    assert store.search(ask("tea", user="bob")) == []


@pytest.mark.parametrize("acknowledged", [1, 7, 60])
def test_a_killed_writer_loses_nothing_it_said_was_written(folder: Path, acknowledged: int) -> None:
    """The writer upserts, advances, says so, and is killed wherever it is then; some of it deletes and overwrites."""
    with subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(DIMENSIONS)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as writer:
        assert writer.stdout
        said = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout if line.endswith("\n")]
    store = EdgeStore.open(folder, DIMENSIONS)
    position = store.progress().positions["memories", 0]
    assert position >= said[-1], "an acknowledged position was lost"
    seqs = {stored.point.key: stored.point.seq for stored in everything(store, 500)}
    for key, seq in last_writes(position).items():
        assert seqs[key] >= seq, "the position ran ahead of the points"
    store.close()


def last_writes(position: int) -> dict[str, int]:
    """Of each key, the last seq below this position, as the writer writes them."""
    return {f"ann/{seq % 1000}": seq for seq in range(position)}


def test_who_only_looks_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    EdgeStore.open(folder, DIMENSIONS).close()
    opened: list[EdgeStore] = []
    serving = threading.Thread(target=lambda: opened.append(EdgeStore.open(folder, DIMENSIONS)))
    with looking_at(folder):
        looked_at = EdgeStore.open(folder, DIMENSIONS)
        serving.start()
        serving.join(0.5)
        assert serving.is_alive(), "it has not waited"
        looked_at.close()
    serving.join(20)
    opened[0].close()
