"""No request body beyond a limit, declared or not."""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_memory.runtime.http.problems import Problem

_LINGER_BYTES = 64 * 1024 * 1024
_LINGER_SECONDS = 5.0


class BodyLimit:
    """ASGI middleware: 413 for a body of more than `max_bytes`, read no further into memory than that."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared(scope) > self._max:
            if not _asks_first(scope):
                await _drain(receive)
            await self._problem().response()(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max:
                if message.get("more_body"):
                    await _drain(receive)
                raise self._problem()
            return message

        return counted

    def _problem(self) -> Problem:
        return Problem(413, f"the body is larger than {self._max} bytes", headers={"Connection": "close"})


def _declared(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 10**19 if length else 0


def _asks_first(scope: Scope) -> bool:
    return Headers(scope=scope).get("expect", "").lower() == "100-continue"


async def _drain(receive: Receive) -> None:
    """Throw away what still comes, within bounds: a client that is cut off while it sends never reads our reply."""
    left = _LINGER_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return
