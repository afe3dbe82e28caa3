"""Requests to a server that may be busy, away, or not what it should be: its statuses as our errors."""

import asyncio
import random
import time
from typing import Any, NamedTuple

import httpx

from hybrid_memory.runtime.errors import Refusal, Unavailable

_CONNECT_SECONDS = 5.0
_LONGEST_DELAY = 5.0
_FOR_THE_CALLER = frozenset({400, 413, 422})
_BUSY = frozenset({408, 425, 429})


class _Away(NamedTuple):
    """A try that may be repeated: why it failed, and when to try again, where the server said so."""

    reason: str
    retry_after: float | None = None
    reply: httpx.Response | None = None


class Caller:
    """Asks one server. `what` is its name in messages, which hold neither key, nor password, nor anything it said.

    What fails for a while is tried again for `patience_s` seconds in all, at the pace that the server asks for.
    """

    def __init__(
        self, url: str, what: str, *, timeout_s: float, patience_s: float = 0.0, key: str | None = None
    ) -> None:
        try:
            base = httpx.URL(url)
        except httpx.InvalidURL:
            base = httpx.URL("")
        if not base.host or base.scheme not in ("http", "https"):
            raise Refusal(f"the URL of {what} is not one; write http://host:port")
        self._shown = f"{what} at {base.copy_with(userinfo=b'', query=None)}"
        self._patience_s = patience_s
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_SECONDS))
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(base_url=base, headers=headers, timeout=timeout, limits=limits)

    def __str__(self) -> str:
        return self._shown

    async def ask(self, method: str, path: str, body: Any = None, patience_s: float | None = None) -> httpx.Response:
        """Its reply: a success, a 400, 413 or 422, or the 500 that it gave to the last try.

        Raises:
            Unavailable: it is away, busy or too slow, and was so until patience ran out.
            Refusal: it does not let us in, or has nothing at this path.
        """
        deadline = time.monotonic() + (self._patience_s if patience_s is None else patience_s)
        delay = 0.25
        while True:
            tried = await self._try(method, path, body)
            if isinstance(tried, httpx.Response):
                return tried
            wait = tried.retry_after if tried.retry_after is not None else delay * random.uniform(0.75, 1.25)
            if time.monotonic() + wait > deadline:
                return _given_up(tried, f"{self} {tried.reason}", wait)
            await asyncio.sleep(wait)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _try(self, method: str, path: str, body: Any) -> httpx.Response | _Away:
        try:
            reply = await self._client.request(method, path, json=body)
        except httpx.TimeoutException:
            return _Away("does not answer in time")
        except httpx.RequestError as error:
            return _Away(f"cannot be reached ({type(error).__name__})")
        status = reply.status_code
        if reply.is_success or status in _FOR_THE_CALLER:
            return reply
        if status in _BUSY or status >= 500:
            return _Away(f"answers {status}", _retry_after(reply), reply)
        if status in (401, 403):
            raise Refusal(f"{self} does not let us in ({status}); does it want a key, and is it the right one?")
        raise Refusal(f"{self} answers {status} to {path}; are the URL and the model right?")


def json_of(reply: httpx.Response) -> Any:
    """The JSON of a reply, or None where it is none."""
    try:
        return reply.json()
    except ValueError:
        return None


def _given_up(tried: _Away, message: str, wait: float) -> httpx.Response:
    if tried.reply is not None and tried.reply.status_code == 500:
        return tried.reply
    raise Unavailable(message, retry_after=wait)


def _retry_after(reply: httpx.Response) -> float | None:
    """The seconds that it asks us to wait; a date, which hardly anyone sends, counts as not said."""
    said = reply.headers.get("retry-after", "")
    return min(float(said), 3600.0) if said.isascii() and said.replace(".", "", 1).isdigit() else None
