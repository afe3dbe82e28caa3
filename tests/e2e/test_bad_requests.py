"""Bad input is a 4xx problem that names the field: never a 5xx, never a traceback, and nothing is written."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.problems import check_problem
from tests.e2e.test_seed_api import search

JSON = {"content-type": "application/json"}
POSTS = ("/add_memory", "/add_memories_batch", "/search")
MEGABYTE = 1024 * 1024


def body_of(path: str, **change: Any) -> dict[str, Any]:
    """A good body for this path, with one change."""
    memory = {"user_id": "u", "text": "x"}
    if path == "/search":
        return {"user_id": "u", "context": "x", **change}
    return {**memory, **change} if path == "/add_memory" else {"memories": [memory, {**memory, **change}]}


def field_of(path: str, field: str) -> str:
    return f"memories.1.{field}" if path == "/add_memories_batch" else field


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("value", [7, None, "", "u" * 257, "a\u0000b", "a\nb", ["u"], {"$ne": 1}, True])
def test_a_wrong_user(api: httpx.Client, path: str, value: object) -> None:
    check_problem(api.post(path, json=body_of(path, user_id=value)), 422, field_of(path, "user_id"))


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("value", [7, None, "", " \n ", "x" * 16_385, ["x"]])
def test_a_wrong_text(api: httpx.Client, path: str, value: object) -> None:
    field = "context" if path == "/search" else "text"
    check_problem(api.post(path, json=body_of(path, **{field: value})), 422, field_of(path, field))


@pytest.mark.parametrize("path", POSTS)
def test_an_unknown_field(api: httpx.Client, path: str) -> None:
    check_problem(api.post(path, json=body_of(path, surprise=1)), 422, field_of(path, "surprise"))


@pytest.mark.parametrize("path", POSTS)
def test_nothing_given(api: httpx.Client, path: str) -> None:
    fields = {
        "/add_memory": ("user_id", "text"),
        "/add_memories_batch": ("memories",),
        "/search": ("user_id", "context"),
    }
    check_problem(api.post(path, json={}), 422, *fields[path])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"classifiers": "food"}, "classifiers"),
        ({"classifiers": ["x"] * 17}, "classifiers"),
        ({"classifiers": ["x" * 65]}, "classifiers.0"),
        ({"classifiers": [1]}, "classifiers.0"),
        ({"topic": 1}, "topic"),
        ({"type": "t" * 65}, "type"),
        ({"pinned": True}, "pinned"),
        ({"metadata": "no"}, "metadata"),
        ({"metadata": {"a": "x" * 17_000}}, "metadata"),
        ({"memory_id": ""}, "memory_id"),
        ({"memory_id": "m" * 257}, "memory_id"),
        ({"expires_at": "tomorrow"}, "expires_at"),
    ],
)
@pytest.mark.parametrize("path", ["/add_memory", "/add_memories_batch"])
def test_a_wrong_field_of_a_memory(api: httpx.Client, path: str, change: dict[str, Any], field: str) -> None:
    check_problem(api.post(path, json=body_of(path, **change)), 422, field_of(path, field))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("limit", [0, 101, "10", 1.5, True]),
        ("score_threshold", [2, -0.1, "1"]),
        ("use_classifiers", ["yes", 1]),
        ("domain", [7, "d" * 65]),
    ],
)
def test_a_wrong_field_of_a_search(api: httpx.Client, field: str, values: list[object]) -> None:
    for value in values:
        check_problem(api.post("/search", json=body_of("/search", **{field: value})), 422, field)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"user_id": "\\ud800"}', b"[" * 100_000, b"{'a': 1}"])
@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_json(api: httpx.Client, path: str, body: bytes) -> None:
    check_problem(api.post(path, content=body, headers=JSON), 400, "body")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"'])
@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_object(api: httpx.Client, path: str, body: bytes) -> None:
    check_problem(api.post(path, content=body, headers=JSON), 422, "body")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
@pytest.mark.parametrize("path", POSTS)
def test_another_content_type(api: httpx.Client, path: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    check_problem(api.post(path, content=b'{"user_id": "u", "text": "x"}', headers=headers), 415)


def test_a_batch_of_none_and_of_too_many(api: httpx.Client) -> None:
    check_problem(api.post("/add_memories_batch", json={"memories": []}), 422, "memories")
    too_many = [{"user_id": "u", "text": f"x{number}"} for number in range(1001)]
    check_problem(api.post("/add_memories_batch", json={"memories": too_many}), 422, "memories")


def test_one_bad_memory_refuses_the_batch(api: httpx.Client, user: str) -> None:
    memories = [{"user_id": user, "text": "good"}, {"user_id": user, "text": ""}]
    check_problem(api.post("/add_memories_batch", json={"memories": memories}), 422, "memories.1.text")
    assert search(api, user, "good") == []


@pytest.mark.parametrize("path", POSTS)
def test_ten_megabytes(api: httpx.Client, path: str) -> None:
    """Refused whether its length is declared or not."""
    check_problem(api.post(path, content=b" " * 10 * MEGABYTE, headers=JSON), 413)
    check_problem(api.post(path, content=_chunks(10), headers=JSON), 413)


def _chunks(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b" " * MEGABYTE


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1/users/u", "/v1/users/u/memories/a/b", "/%00", "/../x"])
def test_no_such_path(api: httpx.Client, path: str) -> None:
    check_problem(api.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/add_memory"),
        ("GET", "/search"),
        ("DELETE", "/search"),
        ("PUT", "/add_memories_batch"),
        ("POST", "/list_users"),
        ("POST", "/health"),
        ("POST", "/v1/users/u/memories/m"),
    ],
)
def test_another_method(api: httpx.Client, method: str, path: str) -> None:
    check_problem(api.request(method, path), 405)


@pytest.mark.parametrize("path", ["/v1/users/u%00/memories/m", f"/v1/users/u/memories/{'m' * 257}"])
def test_ids_in_paths_keep_their_limits(api: httpx.Client, path: str) -> None:
    check_problem(api.delete(path), 422, "user_id" if "%00" in path else "memory_id")
    assert 400 <= api.get(path).status_code < 500


def test_a_wrong_query(api: httpx.Client) -> None:
    check_problem(api.post("/add_memory?wait=perhaps", json=body_of("/add_memory")), 422, "wait")


def test_a_query_of_odd_vectors(api: httpx.Client, user: str) -> None:
    """Texts that hash to nothing, or hold only signs, are searched for like others."""
    for context in ("…", "\u200b", "🍜", "a" * 16_384, "' OR 1=1 --"):
        assert search(api, user, context) == []
