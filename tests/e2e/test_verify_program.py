"""`hm verify` beside a running `hm serve`, which has its index open: it asks the service."""

import json
from typing import Any

import httpx

from tests.e2e.programs import Service, run
from tests.e2e.test_seed_api import add


def verified(service: Service, *arguments: str, **env: str) -> Any:
    done = run("verify", "--json", *arguments, env={**service.env, **env})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_asks_the_service_that_has_the_index_open(service: Service, api: httpx.Client, user: str) -> None:
    for n in range(3):
        add(api, user, f"fact number {n}")
    api.delete(f"/v1/users/{user}/memories/nobody")
    report = verified(service, HM_HTTP__PORT=str(api.base_url.port))
    assert report["memories"]["log"] == report["memories"]["index"] >= 3
    assert report["equal"] is True
    assert report["index"] == api.get("/v1/index").json()["index_id"]
    sampled = verified(service, "--url", str(api.base_url), "--sample", "2")
    assert (sampled["compared"], sampled["sampled"], sampled["partitions"]) == (2, True, [])


def test_pages_of_points(api: httpx.Client, user: str) -> None:
    for n in range(5):
        add(api, user, f"fact number {n}", memory_id=str(n))
    keys, cursor = [], None
    while True:
        params = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = api.get("/v1/index/points", params=params).json()
        keys += [point["key"] for point in page["points"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(keys) == len(set(keys)) >= 5
    wanted = [f"{user}/0", f"{user}/4", "nobody/0"]
    found = api.post("/v1/index/points", json={"keys": wanted}).json()["points"]
    assert sorted(point["key"] for point in found) == wanted[:2]
    assert "fact number" not in json.dumps(found)
