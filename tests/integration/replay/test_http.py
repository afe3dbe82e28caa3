"""`/v1/replays`, through which a page or a scheduler drives replays."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hybrid_memory.query.app import create_app
from hybrid_memory.query.engine import Engine
from hybrid_memory.replay.run import work
from hybrid_memory.runtime.metrics import Metrics
from tests.e2e.problems import check_problem
from tests.integration.replay.world import ReplayWorld, known


@pytest.fixture
async def http(log: ReplayWorld, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The app, whose engine is not started: replays need no index."""
    settings, metrics = log.settings.model_copy(update={"data_dir": tmp_path}), Metrics()
    app = create_app(settings, Engine(settings, metrics, lambda: None), metrics)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_a_replay_is_made_driven_and_done(log: ReplayWorld, http: httpx.AsyncClient) -> None:
    log.add("tea I drink tea", "jazz I like jazz")
    made = await http.post("/v1/replays", json={"users": ["ann"], "shadow": True, "rate": 100, "classifier": "rules"})
    assert made.status_code == 201, made.text
    job = made.json()["job"]
    assert made.headers["Location"] == f"/v1/replays/{job}"
    assert made.json()["state"] == "waiting"
    paused = await http.patch(f"/v1/replays/{job}", json={"wanted": "paused"})
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    await http.patch(f"/v1/replays/{job}", json={"wanted": "running"})
    work(log.settings, job, known())
    done = (await http.get(f"/v1/replays/{job}")).json()
    assert (done["state"], done["classified"], done["ratio"]) == ("done", 2, 1.0)
    other = (await http.post("/v1/replays", json={})).json()["job"]
    first = (await http.get("/v1/replays", params={"limit": 1})).json()
    assert ([one["job"] for one in first["replays"]], first["next_cursor"]) == ([min(job, other)], min(job, other))
    rest = (await http.get("/v1/replays", params={"cursor": first["next_cursor"]})).json()
    assert ([one["job"] for one in rest["replays"]], rest["next_cursor"]) == ([max(job, other)], None)
    check_problem(await http.patch(f"/v1/replays/{job}", json={"wanted": "paused"}), 409)
    check_problem(await http.delete(f"/v1/replays/{other}"), 409)
    gone = await http.delete(f"/v1/replays/{job}")
    assert (gone.status_code, gone.content) == (204, b"")
    check_problem(await http.get(f"/v1/replays/{job}"), 404)


async def test_what_cannot_be_is_a_problem(log: ReplayWorld, http: httpx.AsyncClient) -> None:
    log.classify(log.add("tea I drink tea"), known()(log.settings)[0])
    check_problem(await http.get("/v1/replays/nobody"), 404)
    check_problem(await http.delete("/v1/replays/nobody"), 404)
    check_problem(await http.patch("/v1/replays/nobody", json={"wanted": "paused"}), 404)
    check_problem(await http.patch("/v1/replays/nobody", json={"wanted": "faster"}), 422)
    for body in (
        {"classifier": "http://elsewhere"},
        {"taxonomy": "version: 1"},
        {"ranges": [{"partition": 9}]},
        {"ranges": [{"partition": 0, "start": 5, "end": 3}]},
        {"since": "2026-08-02T00:00:00Z", "until": "2026-08-01T00:00:00Z"},
        {"since": "0001-01-01T00:00:00+05:00"},
        {"rate": 0},
        {"generation": 1},
    ):
        check_problem(await http.post("/v1/replays", json=body), 422)
    assert (await http.get("/v1/replays")).json() == {"replays": [], "next_cursor": None}
