"""No request is worked on for ever."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from hybrid_memory.runtime.http.problems import Begun, Problem


class TimeLimit:
    """ASGI middleware: 503 for a request that takes more than `seconds`, its body included.

    503 rather than 504: it is this service that was too slow, and the request may be sent again.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = Begun(send)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, reply)
        except TimeoutError:
            if reply.begun or not limit.expired():
                raise  # half a reply cannot be taken back: let the server cut the connection
            problem = Problem.away(f"the request took longer than {self._seconds:g} s", 5)
            # Its body may still be on its way.
            problem.headers = {**(problem.headers or {}), "Connection": "close"}
            await problem.response()(scope, receive, send)
