"""`hm sink` and `hm serve` over one server: several of each, as threads of this process, on the client's local mode."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, cast

import httpx
import pytest
from qdrant_client import QdrantClient

from hybrid_memory.index import server as server_module
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.query import engine as engine_module
from hybrid_memory.query.app import create_app
from hybrid_memory.query.engine import Engine
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import EmbedderSettings, HttpSettings, QdrantSettings, Settings
from hybrid_memory.schemas import MEMORIES
from hybrid_memory.sink.worker import Worker
from tests.integration.index.local_server import local_client
from tests.integration.sink.world import World

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")


class Shared:
    """The one server: a client that closes has only let go of it."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    client = local_client()
    monkeypatch.setattr(server_module, "connect", lambda settings: cast(QdrantClient, Shared(client)))
    yield client
    client.close()


@pytest.fixture
def settings(world: World) -> Settings:
    return world.settings.model_copy(
        update={
            "embedder": EmbedderSettings(kind="hash"),
            "qdrant": QdrantSettings(url="http://127.0.0.1:6333"),
            "http": HttpSettings(wait_ms=20_000),
        }
    )


@contextmanager
def sinks(settings: Settings, number: int) -> Iterator[list[Worker]]:
    """As many `hm sink`."""
    workers = [Worker(settings, Metrics(), lambda: None) for _ in range(number)]
    for worker in workers:
        worker.start()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stop()
    assert [worker.failure for worker in workers] == [None] * number


async def api(stack: AsyncExitStack, settings: Settings) -> httpx.AsyncClient:
    """An `hm serve`."""
    engine = Engine(settings, Metrics(), lambda: None)
    app = create_app(settings, engine, Metrics())
    await stack.enter_async_context(app.router.lifespan_context(app))
    transport = httpx.ASGITransport(app)
    return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://here"))


async def until(condition: Callable[[], Any], timeout: float = 30) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := await condition()):
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.05)
    return found


async def test_a_write_to_one_api_is_found_through_another(server: QdrantClient, settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        one, two = await api(stack, settings), await api(stack, settings)

        async def waits_for_a_sink() -> bool:
            return "hm sink makes it" in (await one.get("/readyz")).text

        async def both_ready() -> bool:
            return {(await client.get("/readyz")).status_code for client in (one, two)} == {200}

        await until(waits_for_a_sink)
        with sinks(settings, 2) as workers:
            await until(both_ready)
            for number in range(20):
                body = {"user_id": f"u{number}", "text": "I love sushi", "memory_id": "m"}
                added = await one.post("/add_memory", json=body)
                assert (added.status_code, added.json()["searchable"]) == (200, True), added.text
                asked = {"user_id": f"u{number}", "context": "sushi", "limit": 3}
                found = (await two.post("/search", json=asked)).json()["memories"]
                assert [memory["text"] for memory in found] == ["I love sushi"]
            assert (await two.get("/list_users")).json()["total_users"] == 20
            gone = await two.delete("/v1/users/u3/memories/m")
            assert gone.json()["applied"] is True
            assert (await one.get("/v1/users/u3/memories/m")).status_code == 404

            async def both_follow() -> bool:
                return [worker.not_ready() for worker in workers] == [None, None]

            await until(both_follow)


async def test_lists_and_edits_through_two_apis(server: QdrantClient, settings: Settings) -> None:
    """A cursor of one serves at the other, and of edits through both exactly one wins."""
    async with AsyncExitStack() as stack:
        clients = [await api(stack, settings) for _ in range(2)]

        async def both_ready() -> bool:
            return {(await client.get("/readyz")).status_code for client in clients} == {200}

        with sinks(settings, 2):
            await until(both_ready)
            all_of_ann = "/v1/users/ann/memories"
            memories = [{"memory_id": str(n), "text": f"fact {n}", "metadata": {"n": n % 2}} for n in range(11)]
            results = (await clients[0].post(all_of_ann, json={"memories": memories})).json()["results"]
            assert all(result["searchable"] for result in results)

            found, params = [], {"limit": "2", "metadata": '{"n": 1}'}
            for turn in range(3):
                page = (await clients[turn % 2].get(all_of_ann, params=params)).json()
                found += [memory["memory_id"] for memory in page["memories"]]
                params["cursor"] = page["next_cursor"]
            assert (sorted(found), page["next_cursor"]) == (["1", "3", "5", "7", "9"], None)

            etag = (await clients[0].get(f"{all_of_ann}/1")).headers["etag"]
            edits = [
                clients[n % 2].patch(f"{all_of_ann}/1", json={"text": f"edit {n}"}, headers={"If-Match": etag})
                for n in range(4)
            ]
            replies = await asyncio.gather(*edits)
            assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412]
            [won] = [reply.json()["text"] for reply in replies if reply.status_code == 200]
            assert (await clients[1].get(f"{all_of_ann}/1")).json()["text"] == won

            positions = [result["position"] for result in results]
            body = {"context": "fact 3", "filter": {"metadata": {"n": 1}}, "position": positions, "limit": 1}
            seen = (await clients[1].post("/v1/users/ann/search", json=body)).json()
            assert (seen["fresh"], seen["memories"][0]["text"]) == (True, "fact 3")

            assert (await clients[1].delete(all_of_ann)).json()["deleted"] == 11
            assert (await clients[0].get(all_of_ann)).json()["memories"] == []


async def test_nothing_is_called_searchable_before_it_is(
    world: World, server: QdrantClient, settings: Settings
) -> None:
    """The API alone: writes are durable, and said to be no more than that, until a sink has been there."""
    with sinks(settings, 1) as workers:
        async with AsyncExitStack() as stack:
            patient = await api(stack, settings)

            async def ready() -> bool:
                return (await patient.get("/readyz")).status_code == 200

            await until(ready)
            workers[0].stop()
            waiting = asyncio.create_task(patient.post("/add_memory", json={"user_id": "ann", "text": "I love tea"}))
            topic = world.topic(MEMORIES)
            await until(lambda: asyncio.to_thread(lambda: len(world.read(MEMORIES)) == 1))
            assert topic.partitions == 8
            await asyncio.sleep(0.3)
            assert not waiting.done()
            with sinks(settings, 1):
                assert (await waiting).json()["searchable"] is True


async def test_an_index_of_another_embedder_is_refused(
    server: QdrantClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sinks(settings, 1) as workers:

        async def ready() -> bool:
            return workers[0].not_ready() is None

        await until(ready)
    other = HashEmbedder()
    other.name = "another"
    monkeypatch.setattr(engine_module, "make_embedder", lambda settings: other)
    engine = Engine(settings, Metrics(), lambda: None)
    engine.start()

    async def failed() -> bool:
        return engine.failure is not None

    await until(failed)
    assert "this process embeds with another" in str(engine.failure)
    engine.stop()
