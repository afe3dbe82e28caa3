"""Ids in paths. An id may hold a slash; encoded as %2F it stays within its segment."""

from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator
from starlette.types import ASGIApp, Receive, Scope, Send


class EncodedSlashes:
    """ASGI middleware: routes see `%2F` and `%25` as they were sent, so that no id is split or decoded twice."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%2" in raw:
            scope = {**scope, "path": _kept(raw.partition(b"?")[0].decode("latin-1"))}
        await self._app(scope, receive, send)


def decode_id(segment: str) -> str:
    """The id that a path segment, as `EncodedSlashes` leaves it, stands for."""
    return segment.replace("%2F", "/").replace("%25", "%")


PathId = Annotated[str, AfterValidator(decode_id)]
"""A path parameter that is an id; needs `EncodedSlashes` in the app."""


def _kept(raw: str) -> str:
    for code in ("%25", "%2F", "%2f"):
        raw = raw.replace(code, f"%25{code[1:].upper()}")
    return unquote(raw)
