"""The whole app as `hm serve` makes it: every route asks, but for those that are named here."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from hybrid_memory.query.app import create_app
from hybrid_memory.query.engine import Engine
from hybrid_memory.runtime.access.caller import READ_WRITE, Scope
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import load_settings
from tests.e2e.problems import check_problem

OPEN = {"/livez", "/readyz", "/health", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json"}
TOLERANT = OPEN | {"/metrics"}
NAMES = {"memory_id": "m", "topic": "dlq.memories", "partition": 0, "offset": 0, "job": "job"}
ADA = make_key("ada", READ_WRITE, frozenset({"ada"}))
ADMIN = make_key("admin", [Scope.ADMIN], "all")
ALL = make_key("all", list(Scope), "all")
READER = make_key("reader", [Scope.READ], "all")


@pytest.fixture
async def app(clean_environment: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """Its engine is not started: whoever is let in finds that it is not ready."""
    clean_environment.setattr(Engine, "start", lambda self: None)
    clean_environment.setenv("HM_DATA_DIR", str(tmp_path))
    clean_environment.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    clean_environment.setenv("USE_CLASSIFIER_SERVICE", "true")
    clean_environment.setenv("CLASSIFIER_SERVICE_URL", "http://127.0.0.1:1/internal")
    change_keys(tmp_path / "keys.yaml", lambda _: (ADA.entry, ADMIN.entry, ALL.entry, READER.entry))
    settings, metrics = load_settings(), Metrics()
    app = create_app(settings, Engine(settings, metrics, lambda: None), metrics)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """(method, path) of all that the document names, and the pages that it does not."""
    for path, operations in app.openapi()["paths"].items():
        yield from ((method.upper(), path) for method in operations)
    yield from (("GET", path) for path in OPEN)


async def test_every_route_asks(app: FastAPI, http: httpx.AsyncClient) -> None:
    asked = 0
    for method, path in routes(app):
        reply = await http.request(method, path.format(user_id="ada", **NAMES), content=b"{}")
        if path in OPEN:
            assert reply.status_code in (200, 503), path
        else:
            check_problem(reply, 401)
            asked += 1
    assert asked >= 11


async def test_every_route_of_a_user_refuses_another(app: FastAPI, http: httpx.AsyncClient) -> None:
    of_users = [(method, path) for method, path in routes(app) if "{user_id}" in path]
    assert len(of_users) >= 7
    for method, path in of_users:
        for user in ("bob", "Ada", "ada%2F"):
            url = path.format(user_id=user, **NAMES)
            check_problem(await http.request(method, url, headers={"X-API-Key": ADA.key}, content=b"{}"), 403)


async def test_every_write_needs_the_scope(app: FastAPI, http: httpx.AsyncClient) -> None:
    reads = {"/search"}
    writes = [(m, path) for m, path in routes(app) if m != "GET" and not any(path.endswith(read) for read in reads)]
    assert len(writes) >= 6
    for method, path in writes:
        url = path.format(user_id="ada", **NAMES)
        check_problem(await http.request(method, url, headers={"X-API-Key": READER.key}, content=b"{}"), 403)


async def test_the_document_says_so(app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == (path not in OPEN), path
            assert path in OPEN or operation["responses"].keys() >= {"401", "403", "429"}, path


async def test_every_body_and_reply_has_an_example(app: FastAPI) -> None:
    document = app.openapi()
    assert document["openapi"].startswith("3.1")
    shown = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            bodies = [*operation.get("requestBody", {}).get("content", {}).values()]
            replies = [reply for status, reply in operation["responses"].items() if status in ("200", "202")]
            bodies += [body for reply in replies for body in reply.get("content", {}).values()]
            for schema in (body["schema"] for body in bodies if body.get("schema")):
                named = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
                assert named.get("examples") or path in OPEN | {"/metrics"}, (method, path)
                shown += 1
    assert shown >= 18


async def test_metrics_are_for_admins(http: httpx.AsyncClient) -> None:
    check_problem(await http.get("/metrics", headers={"X-API-Key": ADA.key}), 403)
    assert "hm_build_info" in (await http.get("/metrics", headers={"X-API-Key": ADMIN.key})).text


async def test_health_is_open_without_our_insides(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"X-API-Key": ADA.key}, {"X-API-Key": "wrong"}):
        body = (await http.get("/health", headers=headers)).json()
        assert body == {
            "status": "ok",
            "embedding_model": "all-MiniLM-L6-v2",
            "classifier_service": "unavailable",
            "classifier_url": None,
        }
    shown = (await http.get("/health", headers={"X-API-Key": ADMIN.key})).json()
    assert shown["classifier_url"] == "http://127.0.0.1:1/internal"


async def test_who_is_let_in_is_answered(http: httpx.AsyncClient) -> None:
    for key in (ADA, READER):
        body = {"user_id": "ada", "context": "x"}
        check_problem(await http.post("/search", json=body, headers={"X-API-Key": key.key}), 503)


async def test_every_route_refuses_parameters_that_it_does_not_take(app: FastAPI, http: httpx.AsyncClient) -> None:
    asked = 0
    for method, path in routes(app):
        url = f"{path.format(user_id='ada', **NAMES)}?waitt=false"
        reply = await http.request(method, url, headers={"X-API-Key": ALL.key}, content=b"{}")
        if path in TOLERANT:
            assert reply.status_code in (200, 503), path
            continue
        check_problem(reply, 422, "waitt")
        assert "422" in app.openapi()["paths"][path][method.lower()]["responses"], (method, path)
        asked += 1
    assert asked >= 20


async def test_who_may_not_call_is_told_no_parameters(http: httpx.AsyncClient) -> None:
    check_problem(await http.delete("/v1/users/ada/memories?topic=food"), 401)
    check_problem(await http.delete("/v1/users/bob/memories?topic=food", headers={"X-API-Key": ADA.key}), 403)


async def test_which_parameters_there_are_is_told(http: httpx.AsyncClient) -> None:
    async def told(method: str, url: str) -> list[dict[str, str]]:
        reply = await http.request(method, url, headers={"X-API-Key": ALL.key})
        check_problem(reply, 422)
        told: list[dict[str, str]] = reply.json()["errors"]
        return told

    [error] = await told("DELETE", "/v1/users/ada/memories?topic=food&wait=false&topic=x")
    assert error == {"field": "topic", "message": "there is no such parameter here, only: wait"}
    [error] = await told("GET", "/list_users?user=ada")
    assert error == {"field": "user", "message": "no parameters are taken here"}
    [error] = await told("GET", "/v1/users/ada/memories?topics=food&order=oldest&classifiers_any=a")
    assert error["field"] == "topics"
    assert error["message"].endswith("order, limit, cursor")


def test_the_search_that_is_shown_names_no_log(app: FastAPI) -> None:
    """It stands in /docs to be sent as it is; a position would be of another log."""
    body = app.openapi()["paths"]["/v1/users/{user_id}/search"]["post"]["requestBody"]
    [example] = body["content"]["application/json"]["schema"]["examples"]
    assert example.keys() == {"context", "filter", "explain"}


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
async def test_a_version_without_its_quotes(http: httpx.AsyncClient, method: str) -> None:
    headers = {"X-API-Key": ADA.key, "If-Match": "1.0"}
    reply = await http.request(method, "/v1/users/ada/memories/m", headers=headers, json={"text": "x"})
    check_problem(reply, 422, "if-match")
    headers["If-Match"] = '"1.0"'
    reply = await http.request(method, "/v1/users/ada/memories/m", headers=headers, json={"text": "x"})
    check_problem(reply, 503)
