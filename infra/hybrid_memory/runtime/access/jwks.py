"""Keys that sign user tokens: one shared secret, or the public ones that an issuer publishes (JWKS)."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from hybrid_memory.runtime.access.address import is_loopback
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.errors import Refusal, Unavailable

_LOG = logging.getLogger(__name__)
_FRESH_SECONDS = 300.0
_STALE_SECONDS = 3600.0
"""How long known keys count while their issuer does not answer."""
_PAUSE_SECONDS = 10.0
"""At least so long between two questions to the issuer, whatever key ids callers make up."""
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 1024 * 1024
_MIN_BITS = 2048

Fetch = Callable[[str], Awaitable[bytes]]


class SigningKeys(Protocol):
    """Finds the key that a token was signed with."""

    algorithm: str
    """The only one that its keys are used with, whatever a token says."""

    async def find(self, kid: str | None) -> Any:
        """The key of this id.

        Raises:
            NotAccepted: there is none.
            Unavailable: nobody can say now.
        """


class SharedSecret:
    """One secret for all tokens."""

    algorithm = "HS256"

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    async def find(self, kid: str | None) -> bytes:  # noqa: ARG002  there is but one
        return self._secret


class Jwks:
    """The RSA keys of a JWKS URL, kept for minutes. An id that is not known is asked for, at a bounded rate.

    `fetch` gives the document, or raises `Unavailable`.
    """

    algorithm = "RS256"

    def __init__(
        self,
        url: str,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise Refusal(
                "setting HM_HTTP__JWT__JWKS_URL must be an https URL: keys that come by http may be anybody's"
            )
        self._url, self._fetch, self._clock = url, fetch or fetch_document, clock
        self._keys: Mapping[str | None, Any] = {}
        self._fetched = self._asked = -float("inf")
        self._asking = asyncio.Lock()

    async def find(self, kid: str | None) -> Any:
        if self._age() > _FRESH_SECONDS or self._pick(kid) is None:
            await self._refresh(kid)
        if self._age() > _STALE_SECONDS:
            raise Unavailable("the issuer of user tokens does not answer; try again later", _PAUSE_SECONDS)
        key = self._pick(kid)
        if key is None:
            raise NotAccepted("the token is signed with a key that is not known here", "unknown key id")
        return key

    def _pick(self, kid: str | None) -> Any:
        """Without an id, the only key where there is one only."""
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched

    async def _refresh(self, kid: str | None) -> None:
        async with self._asking:
            answered_meanwhile = self._age() <= _FRESH_SECONDS and self._pick(kid) is not None
            if answered_meanwhile or self._clock() - self._asked < _PAUSE_SECONDS:
                return
            self._asked = self._clock()
            try:
                self._keys = read_key_set(await self._fetch(self._url))
                self._fetched = self._clock()
            except Unavailable as error:
                _LOG.warning("the keys of user tokens are as they were: %s", error)


def read_key_set(document: bytes) -> Mapping[str | None, Any]:
    """The RSA keys of a JWKS document that may sign, by their id; others are left out.

    Raises:
        Unavailable: it is no such document.
    """
    from jwt import PyJWK, PyJWTError

    try:
        entries = json.loads(document)["keys"]
        candidates = [entry for entry in entries if _may_sign(entry)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unavailable("the JWKS URL does not give a JWKS document") from None
    keys: dict[str | None, Any] = {}
    for entry in candidates:
        try:
            key = PyJWK.from_dict(entry, "RS256").key
        except (PyJWTError, ValueError, TypeError, KeyError):
            continue
        if key.key_size >= _MIN_BITS:
            keys[entry.get("kid")] = key
    return keys


def _may_sign(entry: Mapping[str, Any]) -> bool:
    # With `d` it is the private key: one that is published signs for anybody.
    return (
        entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and "d" not in entry
        and isinstance(entry.get("kid"), str | None)
    )


async def fetch_document(url: str) -> bytes:
    """The document at a URL; no redirect is followed, since one could leave https.

    Raises:
        Unavailable: it cannot be had, in time and size.
    """
    import httpx

    body = b""
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client,
            client.stream("GET", url) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise Unavailable(f"the JWKS URL answers {reply.status_code}")
            async for part in reply.aiter_bytes():
                body += part
                if len(body) > _MAX_BYTES:
                    raise Unavailable("the JWKS document is too large")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise Unavailable(f"the JWKS URL does not answer ({type(error).__name__})") from None
    return body
