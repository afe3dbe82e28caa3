"""Kafka dies and comes back: nothing is accepted meanwhile, searches go on, and everything recovers by itself."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hybrid_memory.local import Broker
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import MEMORIES
from tests.e2e.conftest import made_topics
from tests.e2e.problems import check_problem
from tests.e2e.programs import Service, until
from tests.e2e.test_memories import path
from tests.e2e.test_seed_api import add, search, texts
from tests.integration.sink.world import World

SOON = 15.0
"""Seconds: a caller is told no within the writer's five, or a little more on a busy machine."""


@pytest.fixture
def broker(tmp_path: Path, kafka_cache: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "kafka", cache_dir=kafka_cache) as broker:
        yield broker


@pytest.fixture
def own(broker: Broker, tmp_path: Path) -> Iterator[Service]:
    """A service on a broker that may be killed."""
    made_topics(broker.bootstrap_servers, "")
    service = Service.start(broker.bootstrap_servers, "", tmp_path / "data")
    try:
        yield service.until_ready()
    finally:
        service.stop()


def test_kafka_dies_and_comes_back(broker: Broker, own: Service, tmp_path: Path) -> None:
    api = own.http
    add(api, "ann", "I love sushi", memory_id="before")
    pid = own.program.process.pid
    broker.kill()
    refused_writes(api)
    reads_go_on(api)
    until(lambda: api.get("/readyz").status_code == 503, 20, lambda: own.program.said[-2000:])
    assert "Kafka" in api.get("/readyz").json()["detail"]
    assert api.get("/livez").status_code == 200

    broker.start()
    own.until_ready()
    # The same keys, so the same partitions: what was refused, had it been sent late, would stand before these.
    for memory_id in ("single", "one", "two"):
        assert add(api, "ann", f"accepted {memory_id}", memory_id=memory_id)["searchable"] is True
    assert sorted(texts(search(api, "ann", "accepted"))) == [
        "I love sushi",
        "accepted one",
        "accepted single",
        "accepted two",
    ]
    assert (own.program.running, own.program.process.pid) == (True, pid)
    assert written(broker, tmp_path) == ["ann/before", "ann/one", "ann/single", "ann/two"]
    assert "Traceback" not in own.program.said


def refused_writes(api: httpx.Client) -> None:
    """Every write is refused, in time, and says when to try again."""
    memories = [{"user_id": "ann", "text": "refused", "memory_id": name} for name in ("one", "two")]
    calls = [
        ("POST", "/add_memory", {"user_id": "ann", "text": "refused", "memory_id": "single"}),
        ("POST", "/add_memory?wait=false", {"user_id": "ann", "text": "refused", "memory_id": "single"}),
        ("POST", "/add_memories_batch", {"memories": memories}),
        ("DELETE", path("ann", "before"), None),
    ]
    began = time.monotonic()
    with ThreadPoolExecutor(len(calls)) as pool:
        replies = list(pool.map(lambda call: api.request(call[0], call[1], json=call[2]), calls))
    assert time.monotonic() - began < SOON
    for reply in replies:
        check_problem(reply, 503)
        assert int(reply.headers["retry-after"]) >= 1


def reads_go_on(api: httpx.Client) -> None:
    began = time.monotonic()
    assert texts(search(api, "ann", "sushi")) == ["I love sushi"]
    assert api.get(path("ann", "before")).status_code == 200
    assert api.get("/list_users").json()["total_memories"] == 1
    assert time.monotonic() - began < 5


def written(broker: Broker, folder: Path) -> list[str]:
    """The keys of all that stands in the log."""
    settings = made_topics(broker.bootstrap_servers, "")
    with Publisher(settings) as publisher:
        records = World(settings, folder, publisher).read(MEMORIES)
    return sorted((record.key or b"").decode() for record in records)
