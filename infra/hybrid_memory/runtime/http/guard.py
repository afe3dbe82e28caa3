"""Who may call a route: what each route declares, in one way.

    async def search(request: Request, caller: Annotated[Caller, guard.needs(Scope.READ)]) -> SearchReply:
        wanted = await read_json(request, SearchRequest)
        require_user(caller, wanted.user_id)

A `user_id` in a route's path is checked before the route runs; one in a body is the route's to check, by
`require_user` or `require_users`. Both come before anything is looked up: 403 says nothing of what there is.
"""

import ipaddress
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from hybrid_memory.runtime.access.caller import ANYBODY, Caller, Scope, may, reaches
from hybrid_memory.runtime.access.credentials import credential_in
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.identify import Identifier, make_identifier
from hybrid_memory.runtime.access.rate import Limiter
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http.parameters import refuse_unknown_parameters
from hybrid_memory.runtime.http.paths import decode_id
from hybrid_memory.runtime.http.problems import FieldProblem, Problem, problem_responses
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)
_RATE = 200.0
_CHALLENGE = 'Bearer realm="hybrid-memory"'
_FOREIGN = "this key or token does not reach this user's memories"
# For OpenAPI alone: the headers are read below, strictly.
_BEARER = HTTPBearer(
    scheme_name="bearer", bearerFormat="API key or JWT", auto_error=False, description="An API key, or a user token."
)
_API_KEY = APIKeyHeader(name="X-API-Key", scheme_name="apiKey", auto_error=False, description="An API key.")


class Guard:
    """Asks callers who they are, counts how often they call, and lets through who may."""

    def __init__(self, identifier: Identifier | None = None, limiter: Limiter | None = None) -> None:
        self._identifier, self._limiter = identifier, limiter

    @property
    def guarded(self) -> bool:
        """Whether anybody is asked; without it, everybody may do everything."""
        return self._identifier is not None and self._identifier.guarded

    def needs(self, scope: Scope, *, any_parameters: bool = False) -> Any:
        """The dependency of a route that only callers with this scope may call; gives the `Caller`.

        It refuses query parameters that the route does not take, unless told to let any pass.
        """

        async def permitted(request: Request) -> Caller:
            caller = _permitted(await self._caller(request), scope, request)
            if not any_parameters:
                refuse_unknown_parameters(request)  # here: every route declares this, and 401 and 403 come first
            return caller

        return self._documented(permitted)

    def asks(self) -> Any:
        """The dependency of a route that is open to all; gives the `Caller`, or None where it is not known."""

        async def known(request: Request) -> Caller | None:
            if not _credentials(request) and await self._is_guarded():
                self._count(_address(request))
                return None
            try:
                return await self._caller(request)
            except Problem as error:
                if error.status_code == 429:
                    raise
                return None

        return Depends(known)

    @staticmethod
    def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
        """`responses` of a route that `needs`: these problems, and those of the guard."""
        return problem_responses(*statuses, 401, 403, 429)

    def _documented(self, permitted: Any) -> Any:
        if not self.guarded:
            return Depends(permitted)

        async def documented(
            caller: Annotated[Caller, Depends(permitted)],
            _bearer: Annotated[Any, Security(_BEARER)],
            _key: Annotated[Any, Security(_API_KEY)],
        ) -> Caller:
            return caller

        return Depends(documented)

    async def _is_guarded(self) -> bool:
        return self._identifier is not None and await self._identifier.is_guarded()

    async def _caller(self, request: Request) -> Caller:
        if self._identifier is None or not await self._is_guarded():
            self._count(_address(request))
            return ANYBODY
        try:
            caller = await _identified(self._identifier, request)
        except NotAccepted as error:
            # Those who have no key share a bucket with their address, and take nothing from those who have.
            self._count(_address(request))
            _LOG.info("refused", extra={"reason": error.reason, "address": _address(request).partition(":")[2]})
            raise _unknown(str(error), bool(_credentials(request))) from None
        self._count(caller.name)
        return caller

    def _count(self, who: str) -> None:
        late = 0.0 if self._limiter is None else self._limiter.wait(who)
        if late:
            retry = {"Retry-After": str(max(1, math.ceil(late)))}
            raise Problem(429, "too many requests; try again later", headers=retry)


def make_guard(settings: Settings, host: str) -> Guard:
    """The guard of a service that is to listen on `host`: its keys, tokens and request rate.

    Raises:
        Refusal: the settings cannot be followed, or the service would stand open to other machines.
    """
    identifier = make_identifier(settings, host)
    return Guard(identifier, _limiter(settings, limited=identifier.guarded or settings.http.insecure))


def require_user(caller: Caller, user_id: str) -> None:
    """Refuse a caller who does not reach this user.

    Raises:
        Problem: 403.
    """
    if not reaches(caller, user_id):
        raise _forbidden(_FOREIGN)


def require_users(caller: Caller, user_ids: Sequence[str], of: str = "memories") -> None:
    """Refuse a caller who does not reach all of these users; each foreign one is named by its place in `of`.

    Raises:
        Problem: 403.
    """
    foreign = [number for number, user_id in enumerate(user_ids) if not reaches(caller, user_id)]
    if foreign:
        raise _forbidden(_FOREIGN, [FieldProblem(f"{of}.{number}.user_id", _FOREIGN) for number in foreign])


def _limiter(settings: Settings, limited: bool) -> Limiter | None:
    """As it is set; without a setting, only where others than this machine's programs call."""
    rate = settings.http.rate_per_second
    if rate is None:
        rate = _RATE if limited else 0.0
    return Limiter(rate, settings.http.rate_burst) if rate else None


async def _identified(identifier: Identifier, request: Request) -> Caller:
    headers = request.headers
    credential = credential_in(headers.getlist("authorization"), headers.getlist("x-api-key"))
    if credential is None:
        raise NotAccepted("this needs an API key or a user token: Authorization: Bearer …", "no credential")
    with _away():
        return await identifier.caller(credential)


def _permitted(caller: Caller, scope: Scope, request: Request) -> Caller:
    if not may(caller, scope):
        raise _forbidden(f"this key or token does not have the scope {scope}", scope=scope)
    in_path = request.path_params.get("user_id")
    if in_path is not None:
        require_user(caller, decode_id(in_path))
    return caller


def _credentials(request: Request) -> bool:
    return "authorization" in request.headers or "x-api-key" in request.headers


def _unknown(said: str, sent: bool) -> Problem:
    # RFC 6750: whoever sent none is told no error code.
    challenge = f'{_CHALLENGE}, error="invalid_token"' if sent else _CHALLENGE
    return Problem(401, said, headers={"WWW-Authenticate": challenge})


def _forbidden(said: str, errors: Sequence[FieldProblem] = (), scope: Scope | None = None) -> Problem:
    challenge = f'{_CHALLENGE}, error="insufficient_scope"' + (f', scope="{scope}"' if scope else "")
    return Problem(403, said, errors=errors, headers={"WWW-Authenticate": challenge})


def _address(request: Request) -> str:
    """Who calls, as far as the network says; of IPv6 the /64, since who has one has all of its addresses."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"address:{host}"
    if address.version == 6:
        return f"address:{ipaddress.ip_network((address, 64), strict=False)}"
    return f"address:{host}"


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        raise Problem.away(str(error), error.retry_after) from None
