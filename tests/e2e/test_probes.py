"""What an orchestrator and Prometheus see."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hybrid_memory.local.ports import free_port
from tests.e2e.problems import check_problem
from tests.e2e.programs import Service, until
from tests.e2e.test_seed_api import add, search


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_all_is_well(api: httpx.Client, path: str) -> None:
    reply = api.get(path)
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


def test_metrics(api: httpx.Client, user: str) -> None:
    add(api, user, "I love sushi")
    search(api, user, "sushi")
    api.get("/v1/users/someone/memories/secret")
    reply = api.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(reply.text)}
    # The parser takes the _total of a counter off.
    assert families.keys() >= {
        "hm_records",
        "hm_dead_letters",
        "hm_batch_size",
        "hm_stage_duration_seconds",
        "hm_event_age_seconds",
        "hm_time_to_searchable_seconds",
        "hm_consumer_lag_records",
        "hm_build_info",
    }
    assert all(name.startswith("hm_") for name in families)
    values = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in _samples(reply.text)}
    assert values["hm_records_total", ("outcome", "applied"), ("stage", "sink")] >= 1
    assert values["hm_time_to_searchable_seconds_count", ("speed", "instant")] >= 1
    assert user not in reply.text, "no user stands in a label"
    assert "secret" not in reply.text


def test_a_scraper_sees_how_far_a_replay_is(api: httpx.Client) -> None:
    job = api.post("/v1/replays", json={"users": ["nobody"]}).json()["job"]
    until(lambda: f'hm_replay_progress_ratio{{job="{job}"}} ' in api.get("/metrics").text, 20)
    api.patch(f"/v1/replays/{job}", json={"wanted": "cancelled"})
    assert api.delete(f"/v1/replays/{job}").status_code == 204
    until(lambda: job not in api.get("/metrics").text, 20)


def _samples(text: str) -> list[Any]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_the_api_describes_itself(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = {"/add_memory", "/add_memories_batch", "/search", "/list_users", "/health"}
    assert document["paths"].keys() >= paths | {"/v1/users/{user_id}/memories/{memory_id}"}


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Service]:
    """A service that was started before its Kafka."""
    service = Service.start(f"127.0.0.1:{free_port()}", "", tmp_path / "data")
    try:
        yield service
    finally:
        service.stop()


def test_not_ready_says_why(lonely: Service) -> None:
    """It lives and answers while Kafka was never there: not ready, writes refused in time, and it stops when asked."""
    until(lambda: lonely.answers("/livez"), 30)
    until(lambda: "Kafka" in lonely.http.get("/readyz").json().get("detail", ""), 30)
    check_problem(lonely.http.get("/readyz"), 503)
    assert lonely.answers("/health")
    began = time.monotonic()
    reply = lonely.http.post("/add_memory", json={"user_id": "u", "text": "x"})
    check_problem(reply, 503)
    assert int(reply.headers["retry-after"]) >= 1
    assert time.monotonic() - began < 15
    assert lonely.stop() == 0
    assert "Traceback" not in lonely.program.said
