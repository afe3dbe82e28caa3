"""`hm rebuild` beside `hm sink` and `hm serve` on a server, as threads of this process, on the client's local mode."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient

from hybrid_memory.index import server as server_module
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.server import ServerStore, open_generations
from hybrid_memory.index.store import Identity
from hybrid_memory.rebuild import run as run_module
from hybrid_memory.rebuild.others import back, drop, standings
from hybrid_memory.rebuild.run import Options, rebuild
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import QdrantSettings, Settings
from tests.integration.index.local_server import local_client
from tests.integration.sink.test_rebuild import life, points
from tests.integration.sink.test_server_mode import Shared, api, sinks, until
from tests.integration.sink.world import World

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    client = local_client()
    monkeypatch.setattr(server_module, "connect", lambda settings: cast(QdrantClient, Shared(client)))
    yield client
    client.close()


@pytest.fixture
def settings(world: World) -> Settings:
    return world.settings.model_copy(update={"qdrant": QdrantSettings(url="http://127.0.0.1:6333")})


def held_by(settings: Settings, name: str) -> dict[str, Any]:
    store = ServerStore.open_existing(settings.qdrant, name)
    try:
        return {key: stored.point for key, stored in points(store).items()}
    finally:
        store.close()


@pytest.mark.slow
async def test_sinks_and_apis_go_over(world: World, server: QdrantClient, settings: Settings) -> None:
    generations = open_generations(settings.qdrant)
    world.send(*life(1, 60))
    with sinks(settings, 2) as workers:
        async with AsyncExitStack() as stack:
            http = await api(stack, settings)

            async def add(text: str) -> bool:
                added = (await http.post("/add_memory", json={"user_id": "ann", "text": text})).json()
                found = (await http.post("/search", json={"user_id": "ann", "context": text, "limit": 1})).json()
                return bool(added.get("searchable") and found["memories"][0]["text"] == text)

            async def ready() -> bool:
                return (await http.get("/readyz")).status_code == 200

            await until(ready)
            assert await add("I love the first one")
            assert await asyncio.to_thread(rebuild, settings, Options()) == 0
            assert generations.current() == "memories.2"
            assert await add("I love the second one")

            async def gone_over() -> bool:
                here = [worker._sink for worker in workers if worker._sink is not None]
                return all(cast(ServerStore, sink._store).generation == "memories.2" for sink in here)

            await until(gone_over)
            await until(ready)
            assert await add("I still love the second one")

            async def unused() -> bool:
                with suppress(Refusal):  # the last sink is about to leave
                    return "was dropped" in await asyncio.to_thread(drop, settings)
                return False

            await until(unused)
            with world.sink("fresh", expect_stream=True) as fresh:
                fresh.settle()

                async def equal() -> bool:
                    shown = {key: stored.point for key, stored in points(fresh.store).items()}
                    return held_by(settings, "memories.2") == shown

                await until(equal)
            assert [one.name for one in server.get_collections().collections] == ["memories.2"]
            [one] = await asyncio.to_thread(standings, settings)
            assert (one.name, one.role, one.behind) == ("memories.2", "serving", 0)


def test_the_alias_moves_in_one_step(server: QdrantClient, settings: Settings) -> None:
    generations = open_generations(settings.qdrant)
    for name in ("memories", "memories.2", "memories.3", "memories.current.2", "other"):
        server.create_collection(name, vectors_config={})
    assert (generations.current(), generations.building(), generations.kept()) == ("memories", "memories.2", None)
    for name in ("memories.2", "memories.3", "memories.2"):
        generations.switch(name)
        assert generations.current() == name
        assert len(server.get_aliases().aliases) == 1
    assert (generations.building(), generations.kept()) == ("memories.3", "memories")
    generations.drop("memories")
    assert (sorted(generations.names()), generations.kept()) == (["memories.2", "memories.3"], None)


def test_what_nobody_feeds_is_dropped(server: QdrantClient, settings: Settings) -> None:
    server.create_collection("memories.2", vectors_config={})
    assert "memories.2 was dropped" in drop(settings)  # claimed by nobody
    store = ServerStore.open(settings.qdrant, 8, True, "memories.2")
    store.claim(Identity("an index without a group", {}, "any", 8))
    assert "memories.2 was dropped" in drop(settings)
    assert server.get_collections().collections == []


@pytest.mark.slow
async def test_sinks_of_another_embedder_stay_where_they_are(
    world: World, server: QdrantClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send(*life(2, 40))
    with sinks(settings, 1) as workers:

        async def caught_up() -> bool:
            return workers[0].not_ready() is None

        await until(caught_up)
        monkeypatch.setattr(run_module, "make_embedder", lambda settings: HashEmbedder(64))

        async def built() -> bool:
            with suppress(Refusal):  # the sink has not published anything yet
                return await asyncio.to_thread(rebuild, settings, Options()) == 0
            return False

        await until(built)

        async def declined() -> bool:
            return workers[0]._turning is not None and workers[0]._turning._declined == "memories.2"

        await until(declined)
        await until(caught_up)
        assert cast(ServerStore, workers[0]._sink and workers[0]._sink._store).generation == "memories"
        with pytest.raises(Refusal, match="1 hm sink still feed the collection memories; stop them first"):
            await asyncio.to_thread(drop, settings)
        assert {point.seq for point in held_by(settings, "memories.2").values()}
    assert "is the index again" in back(settings)
    assert open_generations(settings.qdrant).current() == "memories"
