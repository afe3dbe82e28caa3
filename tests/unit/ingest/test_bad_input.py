"""Bad input is the caller's fault, and is told so: which field, and why."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import httpx

    from tests.unit.ingest.conftest import Api

GOOD = {"user_id": "u", "text": "x"}
JSON = {"content-type": "application/json"}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["user_id", "text", "memory_id", "topic", "type", "classifiers", "pinned", "metadata", "created_at", "source"]
MEMORY = st.dictionaries(st.sampled_from([*FIELDS, "expires_at", "other"]), ANY_JSON | st.just("ok"), max_size=12)
ALMOST = st.fixed_dictionaries(
    {"user_id": st.just("u"), "text": st.text()}, optional=dict.fromkeys(FIELDS[2:], ANY_JSON)
)
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def check(reply: httpx.Response, status: int, *fields: str) -> None:
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["status"] == status
    assert set(body) >= {"type", "title", "status", "detail", "instance"}
    if fields:
        assert [error["field"] for error in body["errors"]] == list(fields)
        assert all(error["message"] for error in body["errors"])


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"user_id": 7}, ["user_id"]),
        ({"user_id": ""}, ["user_id"]),
        ({"user_id": "u" * 257}, ["user_id"]),
        ({"user_id": "a\u0000"}, ["user_id"]),
        ({"user_id": None}, ["user_id"]),
        ({"text": " \n "}, ["text"]),
        ({"text": "x" * 16_385}, ["text"]),
        ({"text": ["x"]}, ["text"]),
        ({"type": 1}, ["type"]),
        ({"topic": True}, ["topic"]),
        ({"classifiers": "food"}, ["classifiers"]),
        ({"classifiers": ["food", 1, ""]}, ["classifiers.1", "classifiers.2"]),
        ({"classifiers": ["x"] * 17}, ["classifiers"]),
        ({"pinned": "true"}, ["pinned"]),
        ({"pinned": True}, ["pinned"]),
        ({"created_at": 1}, ["created_at"]),
        ({"created_at": "1"}, ["created_at"]),
        ({"expires_at": "2026-01-31"}, ["expires_at"]),
        ({"metadata": []}, ["metadata"]),
        ({"metadata": {"a": "x" * 17_000}}, ["metadata"]),
        ({"memory_id": "m" * 257}, ["memory_id"]),
        ({"unknown": 1}, ["unknown"]),
        ({"user_id": 7, "text": "", "unknown": 1}, ["user_id", "text", "unknown"]),
    ],
)
async def test_each_wrong_field_is_named(api: Api, change: dict[str, Any], fields: list[str]) -> None:
    check(await api.add(**{**GOOD, **change}), 422, *fields)
    check(await api.add_batch(GOOD, {**GOOD, **change}), 422, *(f"memories.1.{field}" for field in fields))
    assert api.log.records == []


async def test_what_was_sent_is_not_repeated(api: Api) -> None:
    reply = await api.add(user_id="s3cret\n", text="s3cret" * 9999, created_at="s3cret", classifiers="s3cret")
    check(reply, 422)
    assert "s3cret" not in reply.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"user_id": "\\ud800"}', b"[" * 100_000, b"nonsense"])
@pytest.mark.parametrize("path", ["/add_memory", "/add_memories_batch"])
async def test_what_is_no_json(api: Api, path: str, body: bytes) -> None:
    check(await api.http.post(path, content=body, headers=JSON), 400, "body")


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "1", "true"])
@pytest.mark.parametrize("path", ["/add_memory", "/add_memories_batch"])
async def test_what_is_no_object(api: Api, path: str, body: str) -> None:
    check(await api.http.post(path, content=body, headers=JSON), 422, "body")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
@pytest.mark.parametrize("path", ["/add_memory", "/add_memories_batch"])
async def test_another_content_type(api: Api, path: str, content_type: str) -> None:
    reply = await api.http.post(path, content=json.dumps(GOOD), headers={"content-type": content_type})
    check(reply, 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
async def test_json_by_other_names(api: Api, content_type: str) -> None:
    reply = await api.http.post("/add_memory", content=json.dumps(GOOD), headers={"content-type": content_type})
    assert reply.status_code == 200


@pytest.mark.parametrize("path", ["/add_memory", "/add_memories_batch"])
async def test_a_body_too_large(api: Api, path: str) -> None:
    body = json.dumps({**GOOD, "text": "x" * 2_000_000})
    check(await api.http.post(path, content=body, headers=JSON), 413)
    check(await api.http.post(path, content=chunks(body.encode()), headers=JSON), 413)
    assert api.log.records == []


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


async def test_a_body_in_chunks(api: Api) -> None:
    body = json.dumps({"memories": [{**GOOD, "text": "x" * 10_000}] * 50}).encode()
    reply = await api.http.post("/add_memories_batch", content=chunks(body), headers=JSON)
    assert reply.json()["inserted"] == 50


async def test_an_empty_batch(api: Api) -> None:
    check(await api.add_batch(), 422, "memories")


async def test_too_large_a_batch(api: Api) -> None:
    reply = await api.add_batch(*([GOOD] * 1001))
    check(reply, 422, "memories")
    assert "1000" in reply.json()["errors"][0]["message"]
    assert api.log.records == []


async def test_so_many_errors_that_not_all_are_listed(api: Api) -> None:
    reply = await api.add_batch(*([{}] * 1000))
    check(reply, 422)
    assert len(reply.json()["errors"]) == 100
    assert reply.json()["detail"].startswith("2000 errors in the request: memories.0.user_id, ")


async def test_so_many_errors_that_none_is_listed(api: Api) -> None:
    reply = await api.http.post("/add_memory", json={str(i): 1 for i in range(30_000)})
    check(reply, 422)
    assert reply.json()["detail"] == "30002 errors in the request, too many to name"


async def test_a_bad_wait(api: Api) -> None:
    check(await api.http.post("/add_memory?wait=maybe", json=GOOD), 422, "wait")
    assert api.log.records == []


async def test_a_deletion_of_bad_ids(api: Api) -> None:
    check(await api.http.delete(f"/v1/users/{'u' * 257}/memories/%00"), 422, "user_id", "memory_id")
    assert api.log.records == []


async def test_no_such_path_or_method(api: Api) -> None:
    check(await api.http.get("/nothing"), 404)
    check(await api.http.delete("/v1/users/a/memories/"), 404)
    reply = await api.http.get("/add_memory")
    check(reply, 405)
    assert reply.headers["allow"] == "POST"


async def test_an_error_of_ours_tells_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.log.fails = lambda n: ZeroDivisionError("s3cret")
    reply = await api.add(**GOOD)
    check(reply, 500)
    assert "s3cret" not in reply.text
    assert "ZeroDivisionError: s3cret" in caplog.text


async def test_openapi_shows_the_bodies_and_the_problems(api: Api) -> None:
    spec = (await api.http.get("/openapi.json")).json()
    add, batch = (spec["paths"][path]["post"] for path in ("/add_memory", "/add_memories_batch"))
    schema = add["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["user_id", "text"]
    assert schema["additionalProperties"] is False
    items = batch["requestBody"]["content"]["application/json"]["schema"]["properties"]["memories"]
    assert (items["maxItems"], items["items"]["required"]) == (1000, ["user_id", "text"])
    assert "application/problem+json" in add["responses"]["422"]["content"]
    assert "$defs" not in json.dumps(spec)


@FUZZ
@given(ANY_JSON | MEMORY | ALMOST)
async def test_any_json_as_a_memory(api: Api, body: Any) -> None:
    await post(api, "/add_memory", body)


@FUZZ
@given(ANY_JSON | st.fixed_dictionaries({"memories": ANY_JSON | st.lists(MEMORY | ALMOST | ANY_JSON, max_size=4)}))
async def test_any_json_as_a_batch(api: Api, body: Any) -> None:
    await post(api, "/add_memories_batch", body)


@FUZZ
@given(st.binary(max_size=50), st.sampled_from(["/add_memory", "/add_memories_batch"]))
async def test_any_bytes(api: Api, body: bytes, path: str) -> None:
    assert (await api.http.post(path, content=body, headers=JSON)).status_code in (400, 422)


@FUZZ
@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
async def test_any_ids(api: Api, user_id: str, memory_id: str) -> None:
    from urllib.parse import quote

    count = len(api.log.records)
    reply = await api.http.delete(f"/v1/users/{quote(user_id, safe='')}/memories/{quote(memory_id, safe='')}")
    if reply.status_code == 200:
        event = api.log.events[-1]
        assert (event.user_id, event.memory_id) == (user_id, memory_id)
    else:
        assert reply.status_code in (404, 405, 422)  # httpx takes `.` and `..` out of a path: it is another route then
        assert len(api.log.records) == count


async def post(api: Api, path: str, body: Any) -> None:
    count = len(api.log.records)
    reply = await api.http.post(path, content=json.dumps(body), headers=JSON)
    if reply.status_code == 200:
        assert len(api.log.records) > count
        assert len(api.log.events) == len(api.log.records)  # whatever was accepted can be read
    else:
        check(reply, reply.status_code)
        assert reply.status_code in (400, 422)
        assert len(api.log.records) == count
