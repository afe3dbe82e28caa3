"""The demo's view of the service: its HTTP API, as any program sees it."""

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import httpx

from hybrid_memory.schemas import Position

# Each question takes processor time from the embedding that it waits for: more often measures worse, not better.
_POLL_SECONDS = 0.01
_SLOW_POLL_SECONDS = 0.1
_EMBEDDER = 'hm_stage_duration_seconds_sum{stage="embed"} '


class Api:
    """One connection, kept open."""

    def __init__(self, url: str, timeout: float = 15.0) -> None:
        # No proxy of the environment comes between us and this machine.
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)
        self._timeout = timeout

    async def until_shown(self, user_id: str, memory_id: str, position: Position) -> dict[str, Any]:
        """Ask again and again until the index shows the memory as of `position` or later; the memory.

        Raises:
            TimeoutError: that takes too long.
        """
        async with asyncio.timeout(self._timeout):
            while True:
                reply = await self._memory(user_id, memory_id)
                if reply is not None and reply["seq"] >= position.offset:
                    return reply
                await asyncio.sleep(_POLL_SECONDS)

    async def until_final(self, user_id: str, memory_id: str, seconds: float) -> dict[str, Any]:
        """Ask until no better classifiers are expected, for at most so long; the memory as it is then."""
        end = time.monotonic() + seconds
        while True:
            reply = await self._memory(user_id, memory_id)
            if reply is not None and (reply["state"] == "final" or time.monotonic() > end):
                return reply
            await asyncio.sleep(_SLOW_POLL_SECONDS)

    async def until_gone(self, user_id: str, memory_id: str) -> None:
        """Ask again and again until the index does not show the memory any more. Raises as `until_shown`."""
        async with asyncio.timeout(self._timeout):
            while await self._memory(user_id, memory_id) is not None:
                await asyncio.sleep(_POLL_SECONDS)

    async def search(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The memories of `POST /search`, best first."""
        reply = await self._http.post("/search", json=body)
        found: list[dict[str, Any]] = reply.raise_for_status().json()["memories"]
        return found

    async def embedding_model(self) -> str:
        """What the service says that it embeds with."""
        return str((await self._http.get("/health")).raise_for_status().json()["embedding_model"])

    async def embedder_seconds(self) -> float | None:
        """Seconds that the service has spent in its embedding model so far; None where it does not say."""
        lines = (await self._http.get("/metrics")).raise_for_status().text.splitlines()
        found = [line.removeprefix(_EMBEDDER) for line in lines if line.startswith(_EMBEDDER)]
        return float(found[0]) if found else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _memory(self, user_id: str, memory_id: str) -> dict[str, Any] | None:
        reply = await self._http.get(f"/v1/users/{user_id}/memories/{memory_id}")
        if reply.status_code == httpx.codes.NOT_FOUND:
            return None
        memory: dict[str, Any] = reply.raise_for_status().json()
        return memory
