"""Probes and metrics, the same for every HTTP service."""

import time
from collections.abc import Callable

from fastapi import APIRouter, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_memory.runtime.access.caller import Scope as May
from hybrid_memory.runtime.http.guard import Guard
from hybrid_memory.runtime.http.problems import Problem
from hybrid_memory.runtime.metrics import CONTENT_TYPE, Metrics

NotReady = Callable[[], str | None]
"""Why the service cannot do its work now, or None when it can."""


def make_probes(not_ready: NotReady, metrics: Metrics, guard: Guard | None = None) -> APIRouter:
    """`/livez` (no I/O), `/readyz` (503 says what is missing) and `/metrics`, which needs the scope admin."""
    guard = guard or Guard()
    router = APIRouter(tags=["operations"])

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        """The process runs and answers."""
        return {"status": "ok"}

    @router.get("/readyz", responses={503: {"description": "Not ready; `detail` says why."}})
    async def readyz() -> dict[str, str]:
        """All that the service needs is there."""
        reason = not_ready()
        if reason is not None:
            raise Problem.away(reason)
        return {"status": "ok"}

    # Scrapers add parameters of their own, and probes are not guarded at all.
    scraping = guard.needs(May.ADMIN, any_parameters=True)

    @router.get("/metrics", response_class=Response, dependencies=[scraping], responses=guard.responses())
    async def prometheus() -> Response:
        """Prometheus' text format."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return router


class MeasureRequests:
    """ASGI middleware: the time of each request, by route template and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._requests = metrics.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._requests.labels(route, str(status)).observe(time.monotonic() - began)
