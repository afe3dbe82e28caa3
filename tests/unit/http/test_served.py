"""Limits and problems over a real server and real sockets."""

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator

import pytest
import uvicorn
from fastapi import FastAPI, Request

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.http import BodyLimit, EncodedSlashes, PathId, Problem, install_problems

MAX = 100_000


def make_app() -> FastAPI:
    app = FastAPI()

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/unread")
    async def unread() -> str:
        return "answered"

    @app.get("/of/{owner}/{name}")
    async def names(owner: PathId, name: PathId) -> list[str]:
        return [owner, name]

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise {"away": Unavailable("s3cret", 2.5), "refused": Refusal("s3cret"), "own": Problem(409, "no")}.get(
            how, RuntimeError("s3cret")
        )

    app.add_middleware(EncodedSlashes)
    app.add_middleware(BodyLimit, max_bytes=MAX)
    install_problems(app)
    return app


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(make_app(), host="127.0.0.1", port=0, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(20)


def ask(
    port: int, method: str, path: str, body: bytes | Iterable[bytes] | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers, encode_chunked=not isinstance(body, bytes | None))
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def chunked(size: int) -> Iterator[bytes]:
    for _ in range(size // 10_000):
        yield b"x" * 10_000


@pytest.mark.parametrize("size", [0, 1, MAX])
def test_up_to_the_limit(port: int, size: int) -> None:
    assert ask(port, "POST", "/size", b"x" * size)[2] == str(size).encode()


def test_up_to_the_limit_in_chunks(port: int) -> None:
    reply = ask(port, "POST", "/size", chunked(MAX), **{"Transfer-Encoding": "chunked"})
    assert reply[2] == str(MAX).encode()


@pytest.mark.parametrize("size", [MAX + 1, 10_000_000])
@pytest.mark.parametrize("path", ["/size", "/unread"])
def test_beyond_it_a_client_that_first_sends_all_reads_413(port: int, size: int, path: str) -> None:
    status, headers, body = ask(port, "POST", path, b"x" * size)
    assert (status, headers["content-type"], headers["connection"]) == (413, "application/problem+json", "close")
    assert json.loads(body)["detail"] == "the body is larger than 100000 bytes"


@pytest.mark.parametrize("size", [MAX + 10_000, 10_000_000])
def test_beyond_it_in_chunks(port: int, size: int) -> None:
    assert ask(port, "POST", "/size", chunked(size), **{"Transfer-Encoding": "chunked"})[0] == 413


def test_a_client_that_asks_first_need_not_send(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/size")
    connection.putheader("Content-Length", "10000000000")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    began = time.monotonic()
    assert connection.getresponse().status == 413
    assert time.monotonic() - began < 2
    connection.close()


def test_the_server_lives_on(port: int) -> None:
    ask(port, "POST", "/size", b"x" * 10_000_000)
    assert ask(port, "POST", "/size", b"x")[0] == 200


def test_ids_keep_their_slashes(port: int) -> None:
    assert json.loads(ask(port, "GET", "/of/a%2Fb/c%252F%25d%20%C3%A4?q=%2F")[2]) == ["a/b", "c%2F%d ä"]
    assert json.loads(ask(port, "GET", "/of/a/b")[2]) == ["a", "b"]


@pytest.mark.parametrize(
    ("how", "status", "retry_after"),
    [("away", 503, "3"), ("refused", 503, "60"), ("own", 409, None), ("bug", 500, None)],
)
def test_whatever_fails_is_a_problem(port: int, how: str, status: int, retry_after: str | None) -> None:
    code, headers, body = ask(port, "GET", f"/fails/{how}")
    assert (code, headers["content-type"], headers.get("retry-after")) == (
        status,
        "application/problem+json",
        retry_after,
    )
    assert b"s3cret" not in body
    assert json.loads(body)["status"] == status
