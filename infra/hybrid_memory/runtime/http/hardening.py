"""What stands around every route."""

from fastapi import FastAPI

from hybrid_memory.runtime.http.guard import Guard
from hybrid_memory.runtime.http.headers import SecurityHeaders
from hybrid_memory.runtime.http.names import OwnNames
from hybrid_memory.runtime.http.patience import TimeLimit
from hybrid_memory.runtime.settings import HttpSettings


def harden(app: FastAPI, settings: HttpSettings, guard: Guard, *, limit_time: bool = True) -> None:
    """Limit the time of requests, answer to no foreign names, and send security headers. Before CORS, after limits."""
    if limit_time:
        app.add_middleware(TimeLimit, seconds=settings.request_seconds)
    if not settings.insecure:
        app.add_middleware(OwnNames, guard=guard)
    app.add_middleware(SecurityHeaders)
