"""Errors as RFC 9457 says: `application/problem+json`, for every way in which a request can fail.

Nothing that the caller sent is repeated but the names of fields; nothing of our insides is told.
"""

import logging
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybrid_memory.runtime.errors import Refusal, Unavailable

_LOG = logging.getLogger("hybrid_memory.http")
_MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 100
_COUNTABLE_ERRORS = 20_000  # beyond it, even listing them to take the first costs too much


class FieldProblem(NamedTuple):
    """What is wrong with one field; its path is dotted, `body` where the whole is meant."""

    field: str
    message: str


class Problem(HTTPException):
    """A reply that is an error. `extra` are further members of the reply; nothing in it may be secret."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = tuple(errors)
        self.extra = dict(extra or {})

    @classmethod
    def invalid(cls, errors: Sequence[FieldProblem], status: int = 422) -> "Problem":
        """A request whose fields are wrong."""
        count = len(errors)
        named = ", ".join(dict.fromkeys(error.field[:100] for error in errors[:5]))
        detail = f"{count} error{'s' if count > 1 else ''} in the request: {named}{', …' if count > 5 else ''}"
        return cls(status, detail, errors=errors)

    @classmethod
    def away(cls, detail: str, retry_after: float = 1.0, **extra: Any) -> "Problem":
        """Something that we need is away for a while; try again after `retry_after` seconds."""
        return cls(503, detail, headers={"Retry-After": str(max(1, math.ceil(retry_after)))}, extra=extra)

    def response(self) -> JSONResponse:
        """The reply."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
            "instance": f"urn:uuid:{uuid.uuid4()}",
        }
        if self.errors:
            body["errors"] = [error._asdict() for error in self.errors[:_MAX_ERRORS]]
        return JSONResponse(body | self.extra, self.status_code, self.headers, _MEDIA_TYPE)


def validation_problem(error: ValidationError, status: int = 422) -> Problem:
    """What pydantic says of a body, each field named and no input repeated."""
    if error.error_count() > _COUNTABLE_ERRORS:
        return Problem(status, f"{error.error_count()} errors in the request, too many to name")
    return Problem.invalid(_fields(error.errors(include_input=False, include_url=False, include_context=False)), status)


def install_problems(app: FastAPI) -> None:
    """Make every error of this app a problem reply: ours, those of the framework, and the unexpected."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_parameters)
    app.add_exception_handler(Unavailable, _on_unavailable)
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_middleware(_Unexpected)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as problems, for the `responses` of a route: what OpenAPI tells of them."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {_MEDIA_TYPE: {"schema": _SCHEMA}}}


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if not isinstance(error, Problem):
        headers = {"Allow": _methods_of(request, error)} if error.status_code == 405 else error.headers
        error = Problem(error.status_code, _said(error), headers=headers)
    return error.response()


def _methods_of(request: Request, error: HTTPException) -> str:
    """What may be done at this path. Each method has a route of its own, and the framework names those of one; the
    document, however the framework keeps its routes, has them all.
    """
    documented = request.app.openapi()["paths"].items()
    fitting = (methods for path, methods in documented if compile_path(path)[0].match(request.scope["path"]))
    methods = {method.upper() for methods in fitting for method in methods}
    named = (error.headers or {}).get("Allow", "").split(", ")
    return ", ".join(sorted(methods.union(filter(None, named))))


def _on_parameters(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return Problem.invalid(_fields(error.errors(), skip=1)).response()


def _on_unavailable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unavailable)
    _LOG.warning("%s %s: %s", request.method, request.scope["path"], error)
    return Problem.away("something that this service needs is away for a while", error.retry_after).response()


def _on_refusal(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("%s %s: %s", request.method, request.scope["path"], error)
    return Problem.away("this service cannot do that now; its log says why", 60).response()


def _said(error: HTTPException) -> str:
    said = {404: "there is nothing at this path", 405: "this path does not take this method"}
    return said.get(error.status_code, str(error.detail))


def _fields(errors: Iterable[Mapping[str, Any]], skip: int = 0) -> list[FieldProblem]:
    return [
        FieldProblem(
            ".".join(str(step)[:100] for step in error["loc"][skip:]) or "body",
            error["msg"].removeprefix("Value error, "),
        )
        for error in errors
    ]


class Begun:
    """An ASGI `send` that knows whether the reply has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


class _Unexpected:
    """The last resort: an exception that nobody expected is logged whole, and answered without a word of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = Begun(send)
        try:
            await self._app(scope, receive, reply)
        except Exception:
            problem = Problem(500, "an error of ours; the service's log has it").response()
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            if reply.begun:
                raise  # half a reply cannot be taken back: let the server cut the connection
            await problem(scope, receive, send)


_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
