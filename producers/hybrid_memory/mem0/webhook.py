"""The receiver of Mem0's webhooks: each call becomes a hint, and is answered when Kafka has it."""

import hmac
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from hybrid_memory.mem0.hints import records
from hybrid_memory.mem0.webhook_body import NoHint, hints_of
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.http import Problem, problem_responses
from hybrid_memory.runtime.publisher import Outcome
from hybrid_memory.runtime.settings import WebhookSettings
from hybrid_memory.schemas import NewRecord

Append = Callable[[Sequence[NewRecord]], Awaitable[Sequence[Outcome]]]
"""Appends records, and says of each where it landed or why it did not."""

PATH = "/mem0/webhook"
"""The URL is this, a slash, and the token."""
_TOKEN = "hm_mem0_webhook_token"
_LOG = logging.getLogger(__name__)
_NOTHING = Problem(404, "there is nothing at this path")


def tokens_of(settings: WebhookSettings) -> tuple[str, ...]:
    """All tokens that are accepted, the newest first.

    Raises:
        Refusal: there is none.
    """
    given = settings.tokens.get_secret_value() if settings.tokens is not None else ""
    found = tuple(part.strip() for part in given.split(",") if part.strip())
    if not found:
        raise Refusal(
            "webhooks need a token in their URL, or anybody could call: make one with hm mem0 webhook token, "
            "and set HM_MEM0__WEBHOOK__TOKENS to it"
        )
    return found


class HideToken:
    """ASGI middleware: takes the token out of the path, so that nothing that logs or counts paths ever sees it.

    The outermost of an app, before anything that looks at a path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{PATH}/"):
            token = scope["path"].removeprefix(f"{PATH}/")
            scope = {**scope, "path": PATH, "raw_path": PATH.encode(), _TOKEN: token}
        await self._app(scope, receive, send)


def make_webhook_router(append: Append, settings: WebhookSettings) -> APIRouter:
    """`POST /mem0/webhook/{token}`, for an app behind `HideToken`.

    Raises:
        Refusal: there is no token.
    """
    may = _Doorkeeper(tokens_of(settings), settings.allow)
    router = APIRouter(tags=["mem0"])

    @router.post(PATH, responses=problem_responses(400, 404, 413, 422, 503), include_in_schema=False)
    async def webhook(request: Request, _: Annotated[None, Depends(may)]) -> dict[str, int]:
        """A change in Mem0."""
        try:
            hints = hints_of(json.loads(await _body(request, settings.max_body_bytes)))
        except NoHint as error:
            _LOG.warning("a webhook was not understood: %s", error)
            raise Problem(422, str(error)) from None
        except (ValueError, RecursionError):
            raise Problem(400, "the body is not JSON") from None
        # Never left to the app's own handlers, which tell the log where the call went.
        for outcome in await append(records(hints)):
            if isinstance(outcome, Unavailable | Refusal):
                _LOG.warning("a webhook's hint was not taken: %s", outcome)
                wait = outcome.retry_after if isinstance(outcome, Unavailable) else 60
                raise Problem.away("the hint could not be kept; call again", wait)
        return {"hints": len(hints)}

    return router


class _Doorkeeper:
    """Who calls with one of the tokens, from where it is allowed. Others learn nothing, not even that they are near."""

    def __init__(self, tokens: Sequence[str], allow: Sequence[str]) -> None:
        self._tokens = [token.encode() for token in tokens]
        self._allow = [ipaddress.ip_network(address) for address in allow]

    async def __call__(self, request: Request) -> None:
        given = str(request.scope.get(_TOKEN, "")).encode()
        # All are compared, each in the same time, whichever it is.
        if sum(hmac.compare_digest(given, token) for token in self._tokens) == 0 or not self._allowed(request):
            raise _NOTHING

    def _allowed(self, request: Request) -> bool:
        if not self._allow:
            return True
        try:
            address = ipaddress.ip_address(request.client.host if request.client is not None else "")
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._allow)


async def _body(request: Request, most: int) -> bytes:
    """The body, read no further than `most` bytes."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise Problem(413, f"the body is larger than {most} bytes", headers={"Connection": "close"})
    except ClientDisconnect:
        raise Problem(400, "the body did not arrive whole") from None
    return body
