"""When the HTTP clients try again: against a real server that answers as it is told."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hybrid_memory.client import (
    AsyncHttpMemoryClient,
    ClientClosed,
    ClientRefused,
    EditLost,
    HttpMemoryClient,
    InvalidCall,
    InvalidMemory,
    MemoryClientError,
    NoSuchMemory,
    NotAllowed,
    RequestRefused,
    ServiceAway,
    ServiceError,
)
from hybrid_memory.client.http_requests import search
from hybrid_memory.client.http_transport import arguments
from hybrid_memory.runtime.errors import Refusal

DELETED = {"memory_id": "m", "position": "t:0:1", "applied": True}


class Server(ThreadingHTTPServer):
    """Answers with `replies`, in order: (status, body, headers). `seen` are the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[tuple[int, Any, dict[str, str]]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, body, headers = self.server.replies.pop(0)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


Call = Callable[[Any], Any]


def in_line(url: str, call: Call, **options: Any) -> Any:
    with HttpMemoryClient(url, **options) as client:
        return call(client)


def in_a_loop(url: str, call: Call, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncHttpMemoryClient(url, **options) as client:
            return await call(client)

    return asyncio.run(run())


both = pytest.mark.parametrize("ask", [in_line, in_a_loop])


def delete(client: Any) -> Any:
    return client.delete("ada", "m")


def edit(client: Any) -> Any:
    return client.update("ada", "m", text="x")


@both
def test_what_is_turned_away_is_tried_again(ask: Any, server: Server) -> None:
    server.replies = [(503, {}, {"retry-after": "0"}), (429, {}, {"retry-after": "0"}), (200, DELETED, {})]
    assert ask(server.url, delete).position == "t:0:1"
    assert len(server.seen) == 3


@both
def test_the_last_attempt_tells(ask: Any, server: Server) -> None:
    server.replies = [(503, {"detail": "away"}, {"retry-after": "0"})] * 3
    with pytest.raises(ServiceAway, match=f"^{server.url}: away$") as caught:
        ask(server.url, delete, retries=2)
    assert (caught.value.status, caught.value.retry_after, len(server.seen)) == (503, 0, 3)


@both
def test_an_edit_that_may_have_been_written_is_not(ask: Any, server: Server) -> None:
    server.replies = [(429, {}, {"retry-after": "0"}), (503, {}, {})]
    with pytest.raises(ServiceAway):
        ask(server.url, edit)
    assert len(server.seen) == 2


@both
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RequestRefused),
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NoSuchMemory),
        (412, EditLost),
        (500, ServiceAway),
    ],
)
def test_errors_in_our_words(ask: Any, server: Server, status: int, expected: type[ServiceError]) -> None:
    errors = [{"field": "text", "message": "too long"}]
    server.replies = [(status, {"detail": "so it is", "errors": errors}, {})]
    with pytest.raises(expected, match=r"so it is \(text: too long\)") as caught:
        ask(server.url, edit)
    assert (caught.value.status, len(server.seen)) == (status, 1)


@both
def test_somebody_else_answers(ask: Any, server: Server) -> None:
    server.replies = [(200, b"<html>Welcome</html>", {"content-type": "text/html"})]
    with pytest.raises(RequestRefused, match=f"^{server.url} answered with text/html instead of JSON"):
        ask(server.url, delete)


@both
def test_nobody_answers(ask: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for call in (delete, edit):
            with pytest.raises(ServiceAway, match=f"^{url}: the service does not answer"):
                ask(url.replace("//", "//ada:secret@"), call, retries=1, timeout=1)


@both
def test_who_calls_is_said(ask: Any, server: Server) -> None:
    for options, said in (
        ({"api_key": "hm_1"}, "Bearer hm_1"),
        ({"token": "eyJ"}, "Bearer eyJ"),
        ({"api_key": " hm_1\r\n", "token": "\n"}, "Bearer hm_1"),
        ({}, None),
    ):
        server.replies = [(200, DELETED, {})]
        ask(server.url, delete, **options)
        assert server.seen[-1][2].get("authorization", server.seen[-1][2].get("Authorization")) == said


@both
@pytest.mark.parametrize("name", ["api_key", "token"])
@pytest.mark.parametrize("secret", ["hm_…", "hm_1 hm_2", "hm_1\nhm_2", "hm_é", "hm_\0"])
def test_what_is_no_key_is_refused_and_not_shown(ask: Any, server: Server, name: str, secret: str) -> None:
    with pytest.raises(ClientRefused, match="neither blanks nor letters beyond ASCII") as caught:
        ask(server.url, delete, **{name: secret})
    assert "hm_" not in str(caught.value)
    assert isinstance(caught.value, MemoryClientError)
    assert isinstance(caught.value, Refusal)


@both
def test_a_key_and_a_token_are_one_too_many(ask: Any, server: Server) -> None:
    with pytest.raises(ClientRefused, match="not both"):
        ask(server.url, delete, api_key="a", token="b")


@both
@pytest.mark.parametrize("url", ["127.0.0.1:8899", "localhost", "", "ftp://ada:secret@h", "http:127.0.0.1", None])
def test_a_url_needs_its_scheme(ask: Any, url: Any) -> None:
    with pytest.raises(ClientRefused, match=r"^the URL must begin with http:// or https://, as") as caught:
        ask(url, delete)
    assert "secret" not in str(caught.value)


@both
@pytest.mark.parametrize("url", ["http://", "https://:80", "http://h:port", "http://[::1", "http://☃", "http://xn--"])
def test_a_url_needs_a_host(ask: Any, url: str) -> None:
    with pytest.raises(ClientRefused, match="names no host"):
        ask(url, delete)


@both
def test_blanks_around_a_url_are_nobodys_intention(ask: Any, server: Server) -> None:
    server.replies = [(200, DELETED, {})]
    assert ask(f" {server.url}/\n", delete).position == "t:0:1"


@both
def test_ids_are_kept_within_their_segment(ask: Any, server: Server) -> None:
    server.replies = [(200, DELETED, {})] * 2
    ask(server.url, lambda client: client.delete("a/b", "../c%?x"))
    ask(server.url, lambda client: client.delete("..", "."))
    paths = [path for _, path, _ in server.seen]
    assert paths == ["/v1/users/a%2Fb/memories/..%2Fc%25%3Fx", "/v1/users/%2E%2E/memories/%2E"]


@both
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda client: client.search("ada", "eat", filter={"topic": "food"}), "search has no argument filter.* topic"),
        (lambda client: client.list("ada", limit=1), "list has no argument limit.* page_size, .* topic"),
        (lambda client: client.update("ada", "m", content="x"), "update has no argument content.* text"),
        (lambda client: client.dead_letters(limit=1), "dead_letters has no argument limit.* page_size, .* stage"),
        (lambda client: client.redrive(why="x"), "redrive has no argument why.* dry_run, .* stage"),
        (lambda client: client.drop_dead_letters(reason="x", why="x"), "drop_dead_letters has no argument why"),
        (lambda client: client.redrive(["t:0:1"], stage="sink"), "not both"),
    ],
)
def test_an_argument_that_is_none_is_refused_at_once(ask: Any, server: Server, call: Call, said: str) -> None:
    with pytest.raises(InvalidCall, match=said) as caught:
        ask(server.url, call)
    assert isinstance(caught.value, MemoryClientError)
    assert isinstance(caught.value, TypeError)
    assert server.seen == []


@both
def test_what_is_no_memory_is_not_sent(ask: Any, server: Server) -> None:
    with pytest.raises(InvalidMemory, match="text"):
        ask(server.url, lambda client: client.add("ada", " "))
    assert server.seen == []


def test_a_search_that_waits_may_take_longer() -> None:
    for after, wait_ms, timeout in (([], 60_000, 1.0), (["t:0:1"], 60_000, 61.0), (["t:0:1"], None, 6.0)):
        request = search("ada", "x", {}, after, wait_ms=wait_ms)
        assert arguments(request, 1.0)["timeout"] == timeout


def test_a_closed_client_says_so() -> None:
    client = HttpMemoryClient()
    client.close()
    client.close()
    with pytest.raises(ClientClosed):
        client.get("ada", "m")
