"""The issuer's keys: kept, asked for again when one is unknown, at a bounded rate, whatever callers make up."""

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.jwks import Jwks, fetch_document, read_key_set
from hybrid_memory.runtime.errors import Unavailable
from tests.unit.access.issuer import Issuer

URL = "https://issuer.example/keys"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self) -> None:
        self.issuer, self.clock, self.away = Issuer("one"), Clock(), False
        self.keys = Jwks(URL, self.fetch, self.clock)

    async def fetch(self, url: str) -> bytes:
        document = await self.issuer.fetch(url)
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("away")
        return document


@pytest.fixture
def world() -> World:
    return World()


async def test_they_are_fetched_once_for_all_who_ask(world: World) -> None:
    found = await asyncio.gather(*(world.keys.find("one") for _ in range(20)))
    assert len({key.public_numbers().n for key in found}) == 1
    assert world.issuer.asked == 1


async def test_a_new_key_is_found_and_made_up_ones_cost_one_question_in_ten_seconds(world: World) -> None:
    await world.keys.find("one")
    world.issuer.keys |= Issuer("two").keys
    for n in range(50):
        with pytest.raises(NotAccepted):
            await world.keys.find(f"made up {n}")
    assert world.issuer.asked == 1, "asked a moment ago"
    world.clock.now = 10
    assert await world.keys.find("two")
    for n in range(50):
        with pytest.raises(NotAccepted):
            await world.keys.find(f"made up {n}")
    assert world.issuer.asked == 2


async def test_a_key_that_is_withdrawn_stops(world: World) -> None:
    world.issuer.keys |= Issuer("two").keys
    await world.keys.find("two")
    del world.issuer.keys["two"]
    world.clock.now = 301
    with pytest.raises(NotAccepted):
        await world.keys.find("two")


async def test_while_the_issuer_is_away_known_keys_count_for_an_hour(world: World) -> None:
    await world.keys.find("one")
    world.away = True
    world.clock.now = 3599
    assert await world.keys.find("one")
    world.clock.now = 3601
    with pytest.raises(Unavailable):
        await world.keys.find("one")
    world.away = False
    world.clock.now = 3612
    assert await world.keys.find("one")


async def test_an_issuer_that_was_never_there(world: World) -> None:
    world.away = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            await world.keys.find("one")
    assert world.issuer.asked == 1


async def test_without_an_id_only_where_there_is_one_key(world: World) -> None:
    assert await world.keys.find(None)
    world.issuer.keys |= Issuer("two").keys
    world.clock.now = 301
    with pytest.raises(NotAccepted):
        await world.keys.find(None)


ISSUER = Issuer("k")
WEAK = Issuer("weak", bits=1024)


@pytest.mark.parametrize(
    "entry",
    [
        WEAK.entry("weak"),
        ISSUER.entry("k", use="enc"),
        ISSUER.entry("k", alg="RS1"),
        ISSUER.entry("k", kty="oct"),
        {**ISSUER.entry("k"), "kid": 7},
        ISSUER.entry("k", n="!"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"},
        {"kty": "RSA"},
        {},
    ],
)
def test_keys_that_may_not_sign_are_left_out(entry: dict[str, Any]) -> None:
    good = Issuer("good").entry("good")
    assert set(read_key_set(json.dumps({"keys": [entry, good]}).encode())) == {"good"}


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"keys": 7}', b'{"keys": [7]}', b"\xff", b"[" * 100_000])
def test_what_is_no_document(document: bytes) -> None:
    with pytest.raises(Unavailable):
        read_key_set(document)


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/keys")
            self.end_headers()
            return
        body = b"x" * (2 * 1024 * 1024) if self.path == "/large" else ISSUER.document()
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


async def test_by_http(server: str) -> None:
    assert await Jwks(f"{server}/keys").find("k")


@pytest.mark.parametrize("path", ["/moved", "/nothing", "/large"])
async def test_what_is_not_taken_by_http(server: str, path: str) -> None:
    with pytest.raises(Unavailable):
        await fetch_document(server + path)


async def test_nobody_there() -> None:
    with pytest.raises(Unavailable):
        await fetch_document("http://127.0.0.1:1/keys")
