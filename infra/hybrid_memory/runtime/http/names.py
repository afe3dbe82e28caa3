"""A service that stands open on this machine answers to this machine's names only.

Any web page may have its own name point at 127.0.0.1, and would then read replies as its own (DNS rebinding).
"""

import ipaddress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hybrid_memory.runtime.access.address import is_loopback
from hybrid_memory.runtime.http.guard import Guard
from hybrid_memory.runtime.http.problems import Problem


class OwnNames:
    """ASGI middleware: 421 for another name, where a connection came by the loopback and nobody is asked for a key."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._guard.guarded and _by_loopback(scope) and not _is_own(scope):
            said = "without keys this service answers to localhost and to addresses only; make a key: hm keys create"
            await Problem(421, said).response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _by_loopback(scope: Scope) -> bool:
    server = scope.get("server")
    return server is not None and is_loopback(str(server[0]))


def _is_own(scope: Scope) -> bool:
    """An address cannot be another's name, whatever it is; a missing name is no browser's."""
    host = Headers(scope=scope).get("host", "")
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not name or name.lower() == "localhost"
    return True
