"""`hm mem0 tail` beside mem0ai's own Memory, on a real Kafka."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hybrid_memory.client import Memory, MemoryClient
from hybrid_memory.mem0.oss.history import History, Place
from hybrid_memory.mem0.oss.tail_command import follow_history
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, NewRecord, Position
from tests.integration.mem0_oss.conftest import alive, held, shut, told
from tests.mem0_oss import FakeLLM, open_memory
from tests.qdrant_rest import served

ROOT = Path(__file__).parents[3]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Any]:
    """A Mem0 that knows nothing of us."""
    from qdrant_client import QdrantClient

    made = open_memory(tmp_path, client=QdrantClient(":memory:"))
    yield made
    shut(made)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def settings(settings: Settings, memory: Any) -> Iterator[Settings]:
    with served(memory.vector_store.client) as url:
        oss = settings.mem0.oss.model_copy(update={"qdrant_url": url})
        yield settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"oss": oss})})


def tail(settings: Settings, history: Path) -> dict[str, int]:
    """A tail that ends when it has caught up."""
    return follow_history(settings, history, threading.Event(), once=True)


def add(memory: Any, text: str, user: str = "maya") -> str:
    return str(memory.add(text, user_id=user, infer=False)["results"][0]["id"])


def test_every_change_arrives_and_none_twice(
    memory: Any, history: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = add(memory, "was there before the tail")
    assert tail(settings, history) == {"published": 1, "deleted": 0}
    monkeypatch.setattr(FakeLLM, "finds", ["likes tea", "has a cat"])
    inferred = memory.add("we talked", user_id="maya", agent_id="travel", metadata={"trip": 7})["results"]
    tea, cat = (one["id"] for one in inferred)
    gone = add(memory, "comes and goes")
    memory.delete(gone)
    memory.update(cat, text="has two cats")
    assert tail(settings, history) == {"published": 2, "deleted": 0}
    assert alive(settings) == held(memory, settings)
    memory.delete(tea)
    memory.update(before, metadata={"seen": True})
    assert tail(settings, history) == {"published": 1, "deleted": 1}
    assert told(settings)[tea] is None
    assert alive(settings) == held(memory, settings)
    assert tail(settings, history) == {"published": 0, "deleted": 0}


def test_a_reset_is_noticed(memory: Any, history: Path, settings: Settings) -> None:
    for number in range(3):
        add(memory, f"number {number}")
    tail(settings, history)
    memory.reset()
    again = add(memory, "after the reset")
    assert tail(settings, history) == {"published": 1, "deleted": 3}
    assert list(alive(settings)) == [again]
    memory.reset()
    assert tail(settings, history) == {"published": 0, "deleted": 1}


def test_it_leaves_alone_what_others_have_in_the_log(
    memory: Any, history: Path, settings: Settings, client: MemoryClient
) -> None:
    add(memory, "mine")
    other = client.add("maya", "not Mem0's").memory_id
    foreign = Memory.new(user_id="maya", text="of another Mem0", source="mem0", metadata={"mem0": {"origin": "oss:x"}})
    nobodys = Memory.new(user_id="maya", text="from some Mem0", source="mem0")
    client.publish([foreign, nobodys])
    tail(settings, history)
    memory.reset()
    assert tail(settings, history) == {"published": 0, "deleted": 1}
    log = Log(settings, quiet=True)
    topic = log.topic(MEMORIES)
    last = {(record.key or b"").decode(): record.value for record in log.read(topic, log.whole(topic))}
    assert last[f"maya/{other}"] is not None
    assert last[foreign.key] is not None
    assert last[nobodys.key] is not None


def test_while_it_follows_mem0_is_never_held_up(memory: Any, history: Path, settings: Settings) -> None:
    fast = settings.model_copy(update={"mem0": with_poll(settings, 0.001)})
    stop, ended = threading.Event(), list[BaseException]()

    def follow() -> None:
        try:
            follow_history(fast, history, stop)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    for number in range(200):
        add(memory, f"number {number}")  # it would raise after five seconds
    stop.set()
    thread.join(60)
    assert not ended
    tail(settings, history)
    assert alive(settings) == held(memory, settings)


def with_poll(settings: Settings, seconds: float) -> Any:
    oss = settings.mem0.oss.model_copy(update={"poll_seconds": seconds})
    return settings.mem0.model_copy(update={"oss": oss})


def test_two_tails_of_one_mem0_agree(memory: Any, history: Path, settings: Settings) -> None:
    stop = threading.Event()
    tails = [threading.Thread(target=follow_history, args=(settings, history, stop)) for _ in range(2)]
    for thread in tails:
        thread.start()
    ids = [add(memory, f"number {number}") for number in range(20)]
    for number, one in enumerate(ids):
        memory.update(one, text=f"number {number}, corrected")
        if number % 3 == 0:
            memory.delete(one)
    stop.set()
    for thread in tails:
        thread.join(60)
    tail(settings, history)
    assert alive(settings) == held(memory, settings)


def test_a_tail_that_was_asleep_overwrites_nothing(
    memory: Any, history: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = add(memory, "the old text")
    send_all = Publisher.send_all

    def sleep_and_die(publisher: Publisher, records: Sequence[NewRecord]) -> list[Position]:
        monkeypatch.setattr(Publisher, "send_all", send_all)
        memory.update(one, text="the new text")
        assert tail(settings, history) == {"published": 1, "deleted": 0}
        send_all(publisher, records)
        raise RuntimeError("killed")

    monkeypatch.setattr(Publisher, "send_all", sleep_and_die)
    with pytest.raises(RuntimeError, match="killed"):
        tail(settings, history)
    assert alive(settings) == held(memory, settings)
    assert tail(settings, history) == {"published": 0, "deleted": 0}


def test_killed_in_the_middle_it_goes_on(memory: Any, history: Path, settings: Settings) -> None:
    ids = [add(memory, f"number {number}") for number in range(50)]
    for kill in range(3):
        process = start(settings, history)
        assert process.stderr is not None
        assert any("following" in line or "published" in line for line in process.stderr)
        for one in ids[kill::4]:
            memory.update(one, text=f"corrected by {kill}")
        memory.delete(ids.pop())
        process.kill()
        process.communicate()
    done = start(settings, history, "--once", "--json")
    assert done.wait(60) == 0
    done.communicate()
    assert alive(settings) == held(memory, settings)
    assert tail(settings, history) == {"published": 0, "deleted": 0}


def start(settings: Settings, history: Path, *options: str) -> "subprocess.Popen[str]":
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HM_")},
        "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "HM_TOPIC_PREFIX": settings.topic_prefix,
        "HM_MEM0__OSS__NAME": settings.mem0.oss.name or "",
        "HM_MEM0__OSS__QDRANT_URL": settings.mem0.oss.qdrant_url,
        "HM_LOG__FORMAT": "text",
    }
    command = [sys.executable, "-m", "hybrid_memory.cli", "mem0", "tail", str(history), *options]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_is_no_history_is_refused(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(Refusal, match=r"there is no file .*; give Mem0's history_db_path"):
        tail(settings, tmp_path / "none.db")
    (tmp_path / "text").write_text("Dear diary, " * 100)
    with pytest.raises(Refusal, match="cannot be read as Mem0's history: file is not a database"):
        tail(settings, tmp_path / "text")
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE history (url TEXT)")
    db.close()
    with pytest.raises(Refusal, match="is no history of Mem0's: it has no table history with event, id, memory_id"):
        tail(settings, tmp_path / "other.db")


def test_a_qdrant_that_is_not_there_or_another_is_refused(memory: Any, history: Path, settings: Settings) -> None:
    def asked(**other: Any) -> Settings:
        oss = settings.mem0.oss.model_copy(update=other)
        return settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"oss": oss})})

    with pytest.raises(Refusal, match=r"does not answer .* use hybrid_memory\.mem0\.tap there"):
        tail(asked(qdrant_url="http://127.0.0.1:9"), history)
    with pytest.raises(Refusal, match="has no collection other; set HM_MEM0__OSS__COLLECTION"):
        tail(asked(collection="other"), history)
    with (
        served(memory.vector_store.client, key="secret") as url,
        pytest.raises(Refusal, match=r"wants another key \(401\)"),
    ):
        tail(asked(qdrant_url=url), history)


def test_the_history_is_only_ever_read(memory: Any, history: Path) -> None:
    add(memory, "one")
    before = history.read_bytes()
    read = History(history)
    assert len(read.since(Place()).memory_ids) == 1
    assert read.since(Place(1, "somebody else's row")).lost
    assert read.since(Place(9, "beyond the end")).lost
    assert history.read_bytes() == before
    # Nothing is held once it has answered: a writer that does not wait for anybody succeeds.
    memory.db.connection.execute("PRAGMA busy_timeout = 0")
    for number in range(20):
        add(memory, f"number {number}")
        assert len(read.since(Place()).memory_ids) == 2 + number
    assert {path.name for path in history.parent.glob("history.db*")} == {"history.db"}


def test_a_history_that_mem0_holds_is_asked_again(memory: Any, history: Path) -> None:
    read = History(history)
    memory.db.connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="cannot be read now: database is locked"):
        read.end()
    memory.db.connection.execute("ROLLBACK")
    assert read.end() == Place()
