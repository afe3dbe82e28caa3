"""A user's memories under `/v1`: a page of them, and one."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from hybrid_memory.index.listing import Listing
from hybrid_memory.query.bodies import ListReply, MemoryReply
from hybrid_memory.query.cursors import BadCursor, from_cursor, to_cursor
from hybrid_memory.query.etags import etag_of, unchanged
from hybrid_memory.query.filtering import ListParams
from hybrid_memory.query.searching import Searcher
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.http import FieldProblem, Guard, PathId, Problem

ETAG_HEADER = {"ETag": {"description": "The memory's version.", "schema": {"type": "string"}}}


def add_memories(router: APIRouter, ready: Callable[[], Searcher], guard: Guard) -> None:
    """The routes. `ready` gives what answers, or raises a `Problem` while there is none."""
    reading = guard.needs(Scope.READ)

    @router.get("/v1/users/{user_id}/memories", dependencies=[reading], responses=guard.responses(422, 503))
    async def list_memories(user_id: PathId, params: Annotated[ListParams, Query()]) -> ListReply:
        """The user's memories that fit a filter, page by page. Expired ones are left out.

        A memory that is written while pages are fetched may come twice, or under `newest` not at all.
        """
        now = int(time.time() * 1000)
        listing = Listing(user_id, params.limit, now, params.to_filter(), params.order)
        points, end = await ready().page(_begun(listing, params.cursor))
        cursor = None if end is None else to_cursor(end, listing)
        return ListReply(memories=[MemoryReply.of(point) for point in points], next_cursor=cursor)

    @router.get(
        "/v1/users/{user_id}/memories/{memory_id}",
        dependencies=[reading],
        responses=guard.responses(404, 422, 503)
        | {
            200: {"headers": ETAG_HEADER},
            304: {"description": "It is still this version.", "headers": ETAG_HEADER},
        },
        response_model=MemoryReply,
    )
    async def get_memory(
        user_id: PathId,
        memory_id: PathId,
        response: Response,
        if_none_match: Annotated[str | None, Header(description="A version that you have: 304 if it stands.")] = None,
    ) -> MemoryReply | Response:
        """One memory; its version is the `ETag`."""
        point = await ready().get(user_id, memory_id)
        if point is None:
            raise Problem(404, "this user has no such memory")
        etag = etag_of(point)
        if if_none_match is not None and unchanged(if_none_match, etag):
            return Response(status_code=304, headers={"ETag": etag})
        response.headers["ETag"] = etag
        return MemoryReply.of(point)


def _begun(listing: Listing, cursor: str | None) -> Listing:
    if cursor is None:
        return listing
    try:
        return replace(listing, after=from_cursor(cursor, listing))
    except BadCursor as error:
        raise Problem.invalid([FieldProblem("cursor", str(error))]) from None
