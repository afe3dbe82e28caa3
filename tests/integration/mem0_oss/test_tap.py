"""The tap, in mem0ai's own Memory and AsyncMemory, on a real Kafka."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from hybrid_memory.client import Memory, MemoryClient
from hybrid_memory.mem0 import tap
from hybrid_memory.mem0.oss.errors import OutboxFull
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from tests.integration.mem0_oss.conftest import alive, held, shut, told
from tests.mem0_oss import FakeLLM, open_memory

ROOT = Path(__file__).parents[3]


def add(memory: Any, text: str, user: str = "maya") -> str:
    return str(memory.add(text, user_id=user, infer=False)["results"][0]["id"])


def test_every_change_arrives(
    memory: Any, client: MemoryClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeLLM, "finds", ["likes tea", "has a cat"])
    with tap(memory, client, settings=settings) as tapped:
        inferred = memory.add("we talked", user_id="maya", agent_id="travel", metadata={"trip": 7})["results"]
        tea, cat = (one["id"] for one in inferred)
        plain, other = add(memory, "lives in Oslo"), add(memory, "is called Bob", "bob")
        memory.update(plain, text="lives in Lisbon")
        memory.update(cat, metadata={"name": "Tom"})
        memory.delete(tea)
        assert tapped.flush(30)
        assert told(settings)[tea] is None
        found = alive(settings)
        assert (found[plain].text, found[plain].user_id) == ("lives in Lisbon", "maya")
        assert found == held(memory, settings)
        memory.delete_all(user_id="maya")
        assert tapped.flush(30)
        assert list(alive(settings)) == [other]
        memory.reset()
        again = add(memory, "after the reset")
        assert tapped.flush(30)
        assert list(alive(settings)) == [again]
    assert type(memory.vector_store).__name__ == "Qdrant"
    add(memory, "after the tap")
    assert list(alive(settings)) == [again]


async def test_every_change_of_the_asynchronous_class_arrives(
    client: MemoryClient, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeLLM, "finds", ["likes tea", "has a cat"])
    memory = open_memory(tmp_path, asynchronous=True)
    with tap(memory, client, settings=settings) as tapped:
        tea, cat = (one["id"] for one in (await memory.add("we talked", user_id="maya"))["results"])
        made = [memory.add(f"number {n}", user_id=f"u{n % 2}", infer=False) for n in range(10)]
        ids = [(await one)["results"][0]["id"] for one in made]
        await memory.update(cat, text="has two cats")
        await memory.delete(tea)
        await memory.delete_all(user_id="u1")
        assert await asyncio.to_thread(tapped.flush, 30)
        assert set(alive(settings)) == {cat, *ids[::2]}
        assert alive(settings) == held(memory, settings)
        await memory.reset()
        again = (await memory.add("after the reset", user_id="maya", infer=False))["results"][0]["id"]
        assert await asyncio.to_thread(tapped.flush, 30)
        assert list(alive(settings)) == [again]
    shut(memory)


def test_threads_that_change_the_same_memories(client: MemoryClient, settings: Settings, tmp_path: Path) -> None:
    memory = open_memory(tmp_path, client=slow_qdrant())
    with tap(memory, client, settings=settings) as tapped, ThreadPoolExecutor(4) as pool:
        ids = [add(memory, f"number {n}") for n in range(15)]
        for one in ids:  # all four at once, so that the last two cross if they can
            list(pool.map(lambda n, one=one: memory.update(one, text=f"{n} was here"), range(4)))
        list(pool.map(memory.delete, ids[:4]))
        assert tapped.flush(30)
        assert alive(settings) == held(memory, settings)
    shut(memory)


def slow_qdrant() -> Any:
    """Qdrant that several threads may use, as a server, and that now and then answers late."""
    from qdrant_client import QdrantClient

    lock, chance = threading.RLock(), random.Random(7)

    class Slow(QdrantClient):
        def upsert(self, *args: Any, **given: Any) -> Any:
            time.sleep(chance.choice((0, 0.002)))
            with lock:
                done = super().upsert(*args, **given)
            time.sleep(chance.choice((0, 0.002)))
            return done

        def delete(self, *args: Any, **given: Any) -> Any:
            time.sleep(chance.choice((0, 0.002)))
            with lock:
                done = super().delete(*args, **given)
            time.sleep(chance.choice((0, 0.002)))
            return done

        def retrieve(self, *args: Any, **given: Any) -> Any:
            with lock:
                return super().retrieve(*args, **given)

    return Slow(":memory:")


def test_while_kafka_is_away_the_application_goes_on_and_nothing_is_lost(
    memory: Any, away: MemoryClient, client: MemoryClient, settings: Settings
) -> None:
    with tap(memory, away, settings=settings) as tapped:
        ids = [add(memory, f"number {n}") for n in range(5)]
        memory.delete(ids[0])
        assert not tapped.flush(0.1)
        assert tapped.status().waiting == 6
        tapped.close(0)
    assert told(settings) == {}
    with tap(memory, client, settings=settings) as tapped:
        assert tapped.flush(30)
    assert set(alive(settings)) == set(ids[1:])
    assert alive(settings) == held(memory, settings)


def test_a_full_outbox_stops_nobody_and_loses_nothing(
    memory: Any, away: MemoryClient, client: MemoryClient, settings: Settings
) -> None:
    before = [add(memory, f"before {n}") for n in range(3)]
    with tap(memory, client, settings=settings, max_bytes=60_000) as tapped:
        for one in before:
            memory.update(one, metadata={"seen": True})
        assert tapped.flush(30)
    with tap(memory, away, settings=settings, max_bytes=60_000) as tapped:
        ids = [add(memory, f"{n} {'x' * 3000}") for n in range(30)]
        memory.delete(before[0])
        memory.delete(ids[29])
        memory.update(before[1], text="changed while it was full")
        assert tapped.status().missed
        assert tapped.status().size < 90_000
        tapped.close(0)
    with tap(memory, client, settings=settings, max_bytes=60_000) as tapped:
        assert tapped.flush(30)
        assert not tapped.status().missed
    assert told(settings)[before[0]] is None
    assert alive(settings) == held(memory, settings)


def test_a_full_outbox_says_so_where_that_is_asked_for(memory: Any, away: MemoryClient, settings: Settings) -> None:
    with tap(memory, away, settings=settings, max_bytes=60_000, when_full="raise") as tapped:
        with pytest.raises(OutboxFull, match=r"the outbox .* is full"):
            fill(memory)
        there = held(memory, settings)
        assert len(there) == tapped.status().waiting
        memory.delete(next(iter(there)))
        tapped.close(0)


def fill(memory: Any) -> None:
    for number in range(60):
        add(memory, f"{number} {'x' * 3000}")


def test_killed_at_any_moment_nothing_is_lost(settings: Settings, client: MemoryClient, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    for fate in ("insert after", "delete after"):
        dying = run_app(settings, folder, *fate.split())
        dying.communicate()
        assert dying.returncode == -signal.SIGKILL
    process = run_app(settings, folder)
    assert process.stdout is not None
    for _ in range(20):
        assert process.stdout.readline()
    process.kill()
    process.communicate()
    memory = open_memory(folder)
    with tap(memory, client, settings=settings) as tapped:
        assert tapped.flush(30)
        assert len(held(memory, settings)) > 20
        assert alive(settings) == held(memory, settings)
    shut(memory)


def run_app(settings: Settings, folder: Path, *fate: str) -> "subprocess.Popen[bytes]":
    app = [sys.executable, "-m", "tests.mem0_app", str(folder), *fate]
    env = app_environment(settings)
    return subprocess.Popen(app, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def app_environment(settings: Settings) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HM_")},
        "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "HM_TOPIC_PREFIX": settings.topic_prefix,
        "HM_DATA_DIR": str(settings.data_dir),
        "HM_MEM0__OSS__NAME": settings.mem0.oss.name or "",
    }


def test_what_the_store_did_not_confirm_is_looked_up(
    memory: Any, client: MemoryClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = memory.vector_store
    with tap(memory, client, settings=settings) as tapped:
        kept = add(memory, "is written")
        insert, remove = store.insert, store.delete

        def insert_and_lose(**given: Any) -> NoReturn:
            insert(**given)
            lost()

        monkeypatch.setattr(store, "insert", insert_and_lose)
        with pytest.raises(OSError, match="the answer was lost"):
            add(memory, "is written all the same")
        monkeypatch.setattr(store, "insert", lambda **given: lost())
        with pytest.raises(OSError, match="the answer was lost"):
            add(memory, "is not written")
        monkeypatch.setattr(store, "delete", lambda **given: lost())
        with pytest.raises(OSError, match="the answer was lost"):
            memory.delete(kept)
        monkeypatch.setattr(store, "insert", insert)
        monkeypatch.setattr(store, "delete", remove)
        assert tapped.flush(30)
    assert sorted(one.text for one in alive(settings).values()) == ["is written", "is written all the same"]
    assert alive(settings) == held(memory, settings)


def lost() -> NoReturn:
    raise OSError("the answer was lost")


def test_what_cannot_be_a_memory_is_put_aside(memory: Any, client: MemoryClient, settings: Settings) -> None:
    with tap(memory, client, settings=settings) as tapped:
        add(memory, "x" * 20_000)
        good = add(memory, "short")
        assert tapped.flush(30)
        assert tapped.status().refused == 1
    assert list(alive(settings)) == [good]


def test_what_has_expired_is_deleted(memory: Any, client: MemoryClient, settings: Settings) -> None:
    with tap(memory, client, settings=settings) as tapped:
        one = add(memory, "is here for long")
        memory.update(one, expiration_date=str((datetime.now(UTC) - timedelta(days=3)).date()))
        assert tapped.flush(30)
    assert told(settings) == {one: None}


def test_the_log_has_the_metadata_and_the_times_of_mem0(memory: Any, client: MemoryClient, settings: Settings) -> None:
    with tap(memory, client, settings=settings) as tapped:
        memory.add("hello", agent_id="guide", run_id="r1", metadata={"a": [1, 2]}, infer=False)
        assert tapped.flush(30)
    [found] = alive(settings).values()
    assert isinstance(found, Memory)
    origin = f"oss:{settings.mem0.oss.name}"
    assert (found.user_id, found.source) == ("agent:guide", "mem0")
    assert found.metadata == {"a": [1, 2], "mem0": {"origin": origin, "agent_id": "guide", "run_id": "r1"}}
    assert abs(datetime.now(UTC) - found.created_at) < timedelta(minutes=5)


def test_when_the_client_is_closed_changes_wait(memory: Any, client: MemoryClient, settings: Settings) -> None:
    with tap(memory, client, settings=settings) as tapped:
        client.close()
        add(memory, "too late")
        assert not tapped.flush(0.2)
        assert tapped.status().waiting == 1
        tapped.close(0)


def test_what_is_no_memory_is_refused(memory: Any, client: MemoryClient, settings: Settings) -> None:
    with pytest.raises(Refusal, match="object is no Memory and no AsyncMemory of mem0ai 2"):
        tap(object(), client, settings=settings)
    with tap(memory, client, settings=settings), pytest.raises(Refusal, match="has a tap already"):
        tap(memory, client, settings=settings)
    tap(memory, client, settings=settings).close()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "my shop"}, "a name is at most 100 letters"),
        ({"max_bytes": -1}, "at least 1"),
        ({"when_full": "wait"}, "'read again' or 'raise'"),
    ],
)
def test_arguments_that_are_none_are_refused(
    memory: Any, client: MemoryClient, settings: Settings, given: dict[str, Any], says: str
) -> None:
    store = memory.vector_store
    with pytest.raises(Refusal, match=says):
        tap(memory, client, settings=settings, **given)
    assert memory.vector_store is store
