"""What stands around every route: headers, patience, names."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from hybrid_memory.runtime.access.caller import READ_WRITE
from hybrid_memory.runtime.access.identify import Identifier
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.runtime.access.watched_keys import WatchedKeys
from hybrid_memory.runtime.http import BodyLimit, Guard, add_docs_page, harden, install_problems
from hybrid_memory.runtime.settings import HttpSettings
from tests.e2e.problems import check_problem

QUICK = HttpSettings(wait_ms=0, request_seconds=10.5).model_copy(update={"request_seconds": 0.2})


def make_app(settings: HttpSettings = QUICK, guard: Guard | None = None) -> FastAPI:
    app = FastAPI(docs_url=None)
    add_docs_page(app)
    app.state.cancelled = False

    @app.get("/quick")
    async def quick() -> str:
        return "done"

    @app.get("/slow")
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            app.state.cancelled = True
            raise

    @app.get("/own")
    async def own() -> None:
        raise TimeoutError("of its own")

    @app.post("/reads")
    async def reads(request: Request) -> int:
        return len(await request.body())

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.sleep(60)

        return StreamingResponse(parts())

    install_problems(app)
    app.add_middleware(BodyLimit, max_bytes=2048)
    harden(app, settings, guard or Guard())
    return app


def client_of(app: FastAPI, url: str = "http://test") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)


@pytest.mark.parametrize("path", ["/quick", "/nothing", "/own", "/slow", "/openapi.json"])
async def test_every_reply_has_the_headers(path: str) -> None:
    async with client_of(make_app()) as http:
        headers = (await http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
    assert "script-src" not in headers["content-security-policy"]


async def test_a_body_that_is_too_large_too() -> None:
    async with client_of(make_app()) as http:
        reply = await http.post("/reads", content=b"x" * 4096)
    check_problem(reply, 413)
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_the_page_loads_its_own_parts_and_nothing_else() -> None:
    async with client_of(make_app()) as http:
        reply = await http.get("/docs")
        parts = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', reply.text)
        for part in (*parts, "openapi.json"):
            assert (await http.get(f"/{part}")).status_code == 200, part
    assert len(parts) == 3
    assert "//" not in re.sub(r"<!--.*?-->", "", reply.text), "nobody else is asked"
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["style-src"] == "'self'"


async def test_a_request_that_takes_too_long_ends() -> None:
    app = make_app()
    async with client_of(app) as http:
        reply = await http.get("/slow")
    check_problem(reply, 503)
    assert int(reply.headers["retry-after"]) >= 1
    assert app.state.cancelled


async def test_a_body_that_does_not_come_ends_too() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    async with client_of(make_app()) as http:
        check_problem(await http.post("/reads", content=never()), 503)


async def test_a_timeout_of_its_own_is_a_fault_like_others() -> None:
    async with client_of(make_app()) as http:
        check_problem(await http.get("/own"), 500)


async def test_half_a_reply_is_cut() -> None:
    async with client_of(make_app()) as http:
        with pytest.raises(TimeoutError):
            await http.get("/half")


def test_an_insert_has_the_time_that_it_waits() -> None:
    with pytest.raises(ValueError, match="wait_ms"):
        HttpSettings(wait_ms=60_000, request_seconds=30)


OWN = ["localhost", "localhost:8765", "LOCALHOST", "127.0.0.1:8765", "[::1]:8765", "192.168.0.7"]
FOREIGN = [
    "evil.example",
    "evil.example:8765",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:127.0.0.1",
]


async def ask(app: FastAPI, host: str, url: str = "http://127.0.0.1:8765") -> httpx.Response:
    async with client_of(app, url) as http:
        return await http.get("/quick", headers={"Host": host})


@pytest.mark.parametrize("host", OWN)
async def test_own_names_are_answered(host: str) -> None:
    assert (await ask(make_app(), host)).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
async def test_another_name_for_the_loopback_is_not(host: str) -> None:
    """A page of evil.example, whose name was made to point here, reads nothing."""
    check_problem(await ask(make_app(), host), 421)


async def test_a_proxy_may_call_it_anything_where_that_is_meant(tmp_path: Path) -> None:
    insecure = QUICK.model_copy(update={"insecure": True})
    assert (await ask(make_app(insecure), "memories.example")).status_code == 200
    path = tmp_path / "keys.yaml"
    change_keys(path, lambda _: (make_key("a", READ_WRITE, "all").entry,))
    guarded = Guard(Identifier(WatchedKeys(path)))
    assert (await ask(make_app(guard=guarded), "memories.example")).status_code == 200
    assert (await ask(make_app(), "memories.example", "http://10.0.0.5:8765")).status_code == 200


def test_secrets_are_not_shown() -> None:
    given: dict[str, Any] = {"keys": "s3cret", "jwt": {"secret": "s3cret" * 6}}
    assert "s3cret" not in repr(HttpSettings.model_validate(given))
