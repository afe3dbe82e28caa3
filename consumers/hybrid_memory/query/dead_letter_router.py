"""`/v1/dead-letters`: what `hm dlq` does, for those with the scope admin."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request

from hybrid_memory.dlq.letters import Letter, Ref
from hybrid_memory.query.cursors import opaque, parts_of
from hybrid_memory.query.dead_letter_bodies import (
    TOPIC,
    DropReply,
    DropRequest,
    LetterParams,
    LetterReply,
    LettersReply,
    RedriveReply,
    RedriveRequest,
    WholeLetterReply,
)
from hybrid_memory.query.dead_letter_desk import GONE, DeadLetterDesk, Meant, NotOurs, Place, place_of
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.http import FieldProblem, Guard, Problem, json_body, read_json

_T = TypeVar("_T")
_VERSION = 1


def make_dead_letter_router(desk: DeadLetterDesk, guard: Guard) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1/dead-letters", tags=["operations"], dependencies=[guard.needs(Scope.ADMIN)])

    @router.get("", responses=guard.responses(409, 422, 503))
    async def list_dead_letters(params: Annotated[LetterParams, Query()]) -> LettersReply:
        """Our dead letters, the first to fail first. Every call reads the whole of their topics."""
        meant = params.to_meant()
        after = None if params.cursor is None else _from_cursor(params.cursor, meant)
        letters, total = await _done(lambda: desk.page(meant, after, params.limit + 1))
        page = letters[: params.limit]
        cursor = _to_cursor(page[-1], meant) if len(letters) > params.limit else None
        return LettersReply(letters=[LetterReply.of(letter) for letter in page], total=total, next_cursor=cursor)

    @router.get("/{topic}/{partition}/{offset}", responses=guard.responses(404, 409, 422, 503))
    async def show_dead_letter(
        topic: Annotated[str, Path(pattern=TOPIC)],
        partition: Annotated[int, Path(ge=0, lt=2**31)],
        offset: Annotated[int, Path(ge=0, lt=2**53)],
    ) -> WholeLetterReply:
        """All of one letter, by the three parts of its name: why it died, the stack, its headers and its value."""
        try:
            found = await _done(lambda: desk.one(Ref(topic, partition, offset)))
        except _NotOursProblem as error:
            raise Problem(404, error.detail) from None
        if found is None:
            raise Problem(404, GONE)
        return WholeLetterReply.of(found)

    _add_changes(router, desk, guard)
    return router


def _add_changes(router: APIRouter, desk: DeadLetterDesk, guard: Guard) -> None:
    @router.post(
        "/redrive", openapi_extra=json_body(RedriveRequest), responses=guard.responses(400, 409, 413, 415, 422, 503)
    )
    async def redrive_dead_letters(request: Request) -> RedriveReply:
        """Append letters to where they came from, and drop them; each has an answer of its own. Nothing newer is
        overwritten. Cut off, it may be sent again.
        """
        body = await read_json(request, RedriveRequest)
        value = None if body.value is None else body.value.encode(errors="replace")
        plan, gone = await _done(lambda: desk.redrive(body.to_meant(), value, body.max_redrives, body.dry_run))
        return RedriveReply.of(plan, gone, done=not body.dry_run)

    @router.post("/drop", openapi_extra=json_body(DropRequest), responses=guard.responses(400, 409, 413, 415, 422, 503))
    async def drop_dead_letters(request: Request) -> DropReply:
        """Drop letters for good: a null under the key of each, with the reason."""
        body = await read_json(request, DropRequest)
        letters, gone = await _done(lambda: desk.drop(body.to_meant(), body.reason, body.dry_run))
        return DropReply.of(letters, gone, done=not body.dry_run)


class _NotOursProblem(Problem):
    """422: a topic is none of ours."""


async def _done(action: Callable[[], _T]) -> _T:
    """Do it in a thread; what cannot be is a problem reply."""
    try:
        return await asyncio.to_thread(action)
    except NotOurs as error:
        raise _NotOursProblem(422, str(error), errors=[FieldProblem("topic", str(error))]) from None
    except Unavailable as error:
        raise Problem.away("Kafka does not answer; what was confirmed is done", error.retry_after) from None
    except Refusal as error:
        raise Problem(409, str(error)) from None


def _to_cursor(letter: Letter, meant: Meant) -> str:
    failed_at, name = place_of(letter)
    return opaque([_VERSION, _list_of(meant), failed_at.isoformat(), name])


def _from_cursor(text: str, meant: Meant) -> Place:
    version, of, failed_at, name = parts_of(text, 4)
    try:
        if version != _VERSION or of != _list_of(meant) or not isinstance(name, str):
            raise ValueError
        at = datetime.fromisoformat(failed_at)
        if at.tzinfo is None:
            raise ValueError
    except (TypeError, ValueError):
        said = "this is no cursor of this list; take the next_cursor of a reply, and keep the filter"
        raise Problem.invalid([FieldProblem("cursor", said)]) from None
    return at, name


def _list_of(meant: Meant) -> str:
    return sha256(repr(meant).encode()).hexdigest()[:16]
