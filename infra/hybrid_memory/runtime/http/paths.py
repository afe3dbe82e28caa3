"""Ids in paths. An id may hold a slash; encoded as %2F it stays within its segment."""

from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.types import ASGIApp, Receive, Scope, Send

from hybrid_memory.schemas.events import UserId


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


_ID = TypeAdapter[str](UserId)  # the limits of a memory's id are the same


def _checked_id(segment: str) -> str:
    try:
        return _ID.validate_python(decode_id(segment))
    except ValidationError as error:
        raise PydanticCustomError("id", "{said}", {"said": error.errors(include_input=False)[0]["msg"]}) from None


PathId = Annotated[str, AfterValidator(_checked_id), WithJsonSchema(_ID.json_schema())]
"""A path parameter that is an id, within its limits; needs `EncodedSlashes` in the app."""


def _kept(raw: str) -> str:
    for code in ("%25", "%2F", "%2f"):
        raw = raw.replace(code, f"%25{code[1:].upper()}")
    return unquote(raw)
