"""The real clients of Mem0 run against the stand-in, and our own reads see what they wrote."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from hybrid_memory.mem0.platform_api import PlatformApi
from hybrid_memory.mem0.status import Rejected
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Mem0Settings
from tests.integration.mem0.platform import KEY, PROJECT, FakePlatform


def api(platform: FakePlatform, **settings: Any) -> PlatformApi:
    given = {"api_key": KEY, "url": platform.url, "rate_per_second": 10_000, **settings}
    return PlatformApi(Mem0Settings.model_validate(given))


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_what_the_client_does_our_reads_see(platform: FakePlatform, client: Any) -> None:
    assert client.project_id == PROJECT
    added = client.add("Lives in Lisbon", user_id="maya", metadata={"trip": 7}, infer=False)
    memory_id = added["results"][0]["id"]
    with api(platform) as ours:
        assert ours.project().project_id == PROJECT
        found = ours.get(memory_id)
        assert found is not None
        assert (found.text, found.scope.user_id, dict(found.metadata)) == ("Lives in Lisbon", "maya", {"trip": 7})
        client.update(memory_id, text="Lives in Porto")
        changed = ours.get(memory_id)
        assert changed is not None
        assert changed.text == "Lives in Porto"
        client.delete(memory_id)
        assert ours.get(memory_id) is None
        assert [event.event for event in ours.events().events] == ["DELETE", "UPDATE", "ADD"]
        assert ours.events(2).events == ()
    assert [entry["event"] for entry in client.history(memory_id)] == ["ADD", "UPDATE", "DELETE"]


def test_listings_filters_batches_and_entities(platform: FakePlatform, client: Any) -> None:
    for number in range(5):
        client.add(f"note {number} of maya", user_id="maya", infer=False)
    client.add("runs the desk", agent_id="desk", run_id="r1", infer=False)
    assert client.get_all(filters={"user_id": "maya"}, page=1, page_size=2)["count"] == 5
    assert client.search("note 3", filters={"user_id": "maya"})["results"][0]["memory"] == "note 3 of maya"
    with api(platform, page_size=2) as ours:
        pages = list(ours.pages({"user_id": "*"}))
        assert [len(page.memories) for _, page in pages] == [2, 2, 1]
        [of_agent] = ours.page({"agent_id": "*"}, 1).memories
        assert of_agent.scope.run_id == "r1"
        assert ("user", "maya") in ours.entities()
        ids = [memory.id for _, page in pages for memory in page.memories]
    client.batch_update([{"memory_id": ids[0], "text": "new"}])
    client.batch_delete([{"memory_id": ids[1]}])
    client.delete_all(agent_id="desk")
    assert {row["memory"] for row in platform.store.all()} >= {"new"}
    assert len(platform.store.all()) == 4


def test_an_inferred_add_comes_later_and_is_categorised(platform: FakePlatform, client: Any) -> None:
    platform.categorise = True
    assert client.add("I moved to Lisbon", user_id="maya")["status"] == "PENDING"
    until(lambda: any(row["categories"] for row in platform.store.all()))


async def test_the_asynchronous_client_runs_too(platform: FakePlatform) -> None:
    import asyncio

    from mem0 import AsyncMemoryClient

    client = await asyncio.to_thread(AsyncMemoryClient, api_key=KEY, host=platform.url)
    async with client:
        added = await client.add("Likes jazz", user_id="noor", infer=False)
        [found] = (await client.get_all(filters={"user_id": "noor"}))["results"]
        assert found["id"] == added["results"][0]["id"]
        await client.delete_all(user_id="noor")
    assert platform.store.all() == []


def test_what_goes_wrong_is_said_without_the_key(platform: FakePlatform) -> None:
    with api(platform, api_key="m0-wrong") as wrong, pytest.raises(Refusal, match="does not accept the API key") as no:
        wrong.project()
    with api(platform) as ours:
        platform.faults.limited, platform.faults.retry_after = 1.0, 7.0
        with pytest.raises(Unavailable) as limited:
            ours.page({"user_id": "*"}, 1)
        assert limited.value.retry_after == 7.0
    platform.faults.limited, platform.faults.failing = 0.0, 1.0
    with api(platform) as ours, pytest.raises(Unavailable, match="500") as failing:
        ours.get("x")
    platform.faults.failing = 0.0
    with api(platform) as ours, pytest.raises(Rejected, match="filters need") as rejected:
        ours.page({}, 1)
    with api(platform) as ours, pytest.raises(Refusal, match="does not know"):
        ours.webhooks("proj_of_somebody")
    with api(platform, url="http://127.0.0.1:9") as ours, pytest.raises(Unavailable, match="does not answer") as away:
        ours.project()
    for said in (no, limited, failing, rejected, away):
        assert "m0-" not in str(said.value) + repr(said.value)
    assert KEY not in repr(Mem0Settings.model_validate({"api_key": KEY}))


def test_nothing_of_ours_comes_between_reading_and_writing_metadata(
    platform: FakePlatform, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_id = client.add("Lives in Lisbon", user_id="maya", metadata={"trip": 7}, infer=False)["results"][0]["id"]
    with api(platform, rate_per_second=10) as ours, ThreadPoolExecutor(6) as pool:
        request, sent = ours._http.request, list[str]()

        def note(method: str, path: str, **content: Any) -> Any:
            sent.append(method)
            return request(method, path, **content)

        monkeypatch.setattr(ours._http, "request", note)
        asked = [pool.submit(lambda: [ours.page({"user_id": "*"}, 1) for _ in range(3)]) for _ in range(3)]
        assert ours.change_metadata(memory_id, lambda state: {**state.metadata, "seen": True})
        assert not ours.change_metadata(memory_id, lambda _: None)
        assert not ours.change_metadata("nobody", lambda _: {})
        wait(asked)
    assert sent[sent.index("PUT") - 1] == "GET"
    assert sent.count("POST") == 9
    assert (platform.store.get(memory_id) or {})["metadata"] == {"trip": 7, "seen": True}


def test_a_page_of_a_proxy_deletes_nothing(platform: FakePlatform) -> None:
    import httpx

    from hybrid_memory.mem0.status import answer

    request = httpx.Request("GET", "https://mem0.example/v1/memories/x/")
    page = httpx.Response(404, text="<html>Not here</html>", request=request)
    with pytest.raises(Unavailable, match="not JSON"):
        answer(page, "https://mem0.example", True)
    assert answer(httpx.Response(404, json={"detail": "Not found."}, request=request), "u", True) is None
