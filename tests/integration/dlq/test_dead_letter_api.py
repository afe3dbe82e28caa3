"""`/v1/dead-letters` over a real Kafka, with letters of the real sink."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hybrid_memory.query.dead_letter_desk import DeadLetterDesk
from hybrid_memory.query.dead_letter_router import make_dead_letter_router
from hybrid_memory.runtime.http import Guard, install_problems
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.schemas import MEMORIES
from tests.e2e.problems import check_problem
from tests.integration.dlq.test_dlq import DEAD, die, letter_of, memory, poison, text_of
from tests.integration.sink.world import World

ALL = "/v1/dead-letters"


class Api:
    """The routes over a desk, called as from a program without a loop."""

    def __init__(self, desk: DeadLetterDesk) -> None:
        app = FastAPI()
        app.include_router(make_dead_letter_router(desk, Guard()))
        install_problems(app)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        self._loop = asyncio.Runner()

    def get(self, url: str, **given: Any) -> httpx.Response:
        return self._loop.run(self._http.get(url, **given))

    def post(self, url: str, json: Any) -> httpx.Response:
        return self._loop.run(self._http.post(url, json=json))

    def close(self) -> None:
        self._loop.run(self._http.aclose())
        self._loop.close()


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    api = Api(DeadLetterDesk(world.settings))
    yield api
    api.close()


def path(name: str) -> str:
    """Of one letter."""
    return "/".join([ALL, *name.split(":")])


def listed(api: Api, **params: Any) -> list[dict[str, Any]]:
    reply = api.get(ALL, params=params)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["total"] >= len(body["letters"])
    found: list[dict[str, Any]] = body["letters"]
    return found


def test_from_the_list_to_the_redrive(world: World, api: Api) -> None:
    with world.sink() as sink:
        die(world, sink, poison())
        [letter] = listed(api, error_class="poison", stage="sink")
        name = letter["letter"]
        assert (letter["key"], letter["source"]["topic"]) == ("ann/m", world.settings.topic_prefix + MEMORIES)
        assert listed(api, older_than="1h") == []
        assert listed(api, topic=DEAD) == [letter], "a topic by its own name, without the prefix"
        whole = api.get(path(name)).json()
        assert "I like tea" in whole["value"]
        assert "__connect.errors.exception.message" in {header["name"] for header in whole["headers"]}

        # As it is, it would die again.
        [left] = api.post(f"{ALL}/redrive", json={"letters": [name]}).json()["left"]
        assert "it could not be read this time either" in left["why"]
        mended = {"letters": [name], "value": memory("I like tea").value.decode()}  # type: ignore[union-attr]
        tried = api.post(f"{ALL}/redrive", json=mended | {"dry_run": True}).json()
        assert (tried["done"], len(tried["redriven"]), len(world.read(MEMORIES))) == (False, 1, 1)
        done = api.post(f"{ALL}/redrive", json=mended).json()
        assert [(one["letter"], one["drops"]) for one in done["redriven"]] == [(name, [name])]
        sink.settle()
        assert text_of(sink) == "I like tea"
    assert listed(api) == []
    check_problem(api.get(path(name)), 404)
    again = api.post(f"{ALL}/redrive", json=mended).json()
    assert (again["redriven"], [one["letter"] for one in again["left"]]) == ([], [name])


def test_pages_and_drops(world: World, api: Api) -> None:
    world.send(*(letter_of(world, memory("I like tea", f"m{n}")) for n in range(3)))
    names, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = api.get(ALL, params=params).json()
        assert page["total"] == 3
        names += [letter["letter"] for letter in page["letters"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        check_problem(api.get(ALL, params=params | {"cursor": cursor, "stage": "sink"}), 422, "cursor")
    assert names == [letter["letter"] for letter in listed(api)]

    one = {"letters": names[:1], "reason": "a test"}
    assert api.post(f"{ALL}/drop", json=one | {"dry_run": True}).json()["dropped"] == names[:1]
    assert len(listed(api)) == 3
    assert api.post(f"{ALL}/drop", json=one).json() == {"done": True, "dropped": names[:1], "left": []}
    null = next(record for record in world.read(DEAD) if record.value is None)
    assert null.header("hm-dropped-because") == "a test"
    rest = api.post(f"{ALL}/drop", json={"filter": {"error_class": "policy"}, "reason": "the rest"}).json()
    assert sorted(rest["dropped"]) == sorted(names[1:])
    assert listed(api) == []


def test_requests_that_make_no_sense(world: World, api: Api) -> None:
    name = world.settings.topic_prefix + "dlq.memories:0:0"
    bodies: list[dict[str, Any]] = [
        {},
        {"letters": [name], "filter": {}},
        {"letters": []},
        {"filter": {}, "value": "x"},
    ]
    for body in bodies:
        check_problem(api.post(f"{ALL}/redrive", json=body), 422)
    check_problem(api.post(f"{ALL}/drop", json={"letters": [name]}), 422, "reason")
    check_problem(api.post(f"{ALL}/drop", json={"letters": ["41"], "reason": "x"}), 422, "letters.0")
    check_problem(api.get(ALL, params={"older_than": "soon"}), 422, "older_than")
    check_problem(api.get(ALL, params={"cursor": "made-up"}), 422, "cursor")
    # Other topics of the cluster are not for this door, be they there or not.
    for topic in (world.settings.topic_prefix + MEMORIES, "no.such.topic"):
        check_problem(api.get(ALL, params={"topic": topic}), 422, "topic")
        check_problem(api.get(f"{ALL}/{topic}/0/0"), 404)
        check_problem(api.post(f"{ALL}/drop", json={"letters": [f"{topic}:0:0"], "reason": "x"}), 422, "topic")


def test_too_many_letters_are_not_taken_into_memory(world: World, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(letter_of(world, memory("x" * 5000)))
    monkeypatch.setattr("hybrid_memory.query.dead_letter_desk._MAX_BYTES", 4000)
    with closing(Api(DeadLetterDesk(world.settings))) as narrow:
        assert len(listed(narrow)) == 1, "a list has no values"
        reply = narrow.post(f"{ALL}/redrive", json={"filter": {}})
        check_problem(reply, 409)
        assert "hm dlq" in json.loads(reply.text)["detail"]


def test_without_kafka_it_is_away(kafka: str) -> None:
    settings = load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})
    with closing(Api(DeadLetterDesk(settings))) as api:
        check_problem(api.get(ALL), 503)
