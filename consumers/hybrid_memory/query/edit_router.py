"""The routes that read before they write."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hybrid_memory.index.points import Point
from hybrid_memory.ingest.bodies import Deleted, Written
from hybrid_memory.ingest.inserting import Trace
from hybrid_memory.ingest.router import NOT_CONFIRMED, DeleteIf, Tracing, Wait
from hybrid_memory.query import examples
from hybrid_memory.query.bodies import MemoryReply
from hybrid_memory.query.editing import Editing, NotAllDeleted, NotCaughtUp
from hybrid_memory.query.etags import etag_of, matches
from hybrid_memory.query.memories import ETAG_HEADER
from hybrid_memory.query.patching import MemoryPatch, patched
from hybrid_memory.query.router import ready_or_problem
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import Guard, PathId, Problem, json_body, read_json
from hybrid_memory.runtime.http.problems import validation_problem
from hybrid_memory.runtime.http.versions import IfMatch
from hybrid_memory.schemas import Memory, MemoryDeleted

_LOST = "another write of this memory came before this one, or right after it; read it, and say what it shall be now"
_OTHER_VERSION = "the memory is not at this version; read it again"
_NO_SUCH = "this user has no such memory"


class Pending(Written):
    """The reply to an edit that is durable, while the index does not show yet whether it won."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"memory_id": examples.ID, "position": examples.POSITION, "searchable": False}]}
    )

    searchable: Literal[False] = False


class Emptied(BaseModel):
    """The reply to the deletion of all that a user has: it is durable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "success", "deleted": 2, "positions": [examples.POSITION], "applied": True}]
        }
    )

    status: Literal["success"] = "success"
    deleted: int
    positions: list[str] = Field(description="Of each partition, the last deletion's; a search can wait for them.")
    applied: bool = Field(description="Whether a search that starts now no longer finds them.")


def make_edit_router(editing: Editing, guard: Guard) -> APIRouter:
    """`PATCH` of a memory, and `DELETE` of all."""
    router = APIRouter(tags=["write"])
    _add_patch(router, editing, guard)
    _add_delete_all(router, editing, guard)
    return router


def make_delete_if(editing: Editing) -> DeleteIf:
    """The deletion of a version, for the route that deletes."""

    async def delete_if(deletion: MemoryDeleted, if_match: str, trace: Trace, wait: bool) -> Deleted:
        before = await ready_or_problem(editing.searcher).get(deletion.user_id, deletion.memory_id)
        if before is None or not matches(if_match, etag_of(before)):
            raise Problem(412, _OTHER_VERSION)
        with _away():
            done = await editing.delete(before, deletion, trace, wait)
        if done.won is False:
            raise Problem(412, _LOST)
        return Deleted(memory_id=deletion.memory_id, position=str(done.position), applied=done.won is not None)

    return delete_if


def _add_patch(router: APIRouter, editing: Editing, guard: Guard) -> None:
    @router.patch(
        "/v1/users/{user_id}/memories/{memory_id}",
        dependencies=[guard.needs(Scope.WRITE)],
        openapi_extra=_merge_patch(),
        responses=guard.responses(400, 404, 412, 413, 415, 422, 503)
        | {
            200: {"headers": ETAG_HEADER},
            202: {"model": Pending, "description": "Durable; whether it won is not known yet."},
        },
        response_model=MemoryReply,
    )
    async def edit_memory(
        user_id: PathId,
        memory_id: PathId,
        request: Request,
        response: Response,
        trace: Tracing,
        wait: Wait = True,
        if_match: Annotated[IfMatch, Header(description="The version to edit; another is 412.")] = None,
    ) -> MemoryReply | Response:
        """Change a memory, by a JSON merge patch. Of two edits of one version, one wins and the other is 412.

        Without `If-Match` it is the present version that is edited.
        """
        patch = await read_json(request, MemoryPatch)
        before = await ready_or_problem(editing.searcher).get(user_id, memory_id)
        memory = _wanted(before, patch, if_match)
        assert before is not None
        if memory == before.memory:  # nothing to say
            return _shown(before, response)
        with _away():
            edited = await editing.edit(before, memory, trace, wait)
        if edited.won is None:
            pending = Pending(memory_id=memory.memory_id, position=str(edited.position))
            return JSONResponse(pending.model_dump(), 202)
        if not edited.won or edited.shown is None:
            raise Problem(412, _LOST)
        return _shown(edited.shown, response)


def _add_delete_all(router: APIRouter, editing: Editing, guard: Guard) -> None:
    @router.delete(
        "/v1/users/{user_id}/memories",
        dependencies=[guard.needs(Scope.WRITE)],
        responses=guard.responses(422, 503),
    )
    async def delete_memories(user_id: PathId, trace: Tracing, wait: Wait = True) -> Emptied:
        """Delete all memories of a user that are durable when the call comes. What is written while it runs may stay.

        Where not all could be deleted the reply is 503, and `deleted` says how many were.
        """
        ready_or_problem(editing.searcher)
        with _away():
            done = await editing.delete_all(user_id, trace, wait)
        return Emptied(deleted=done.deleted, positions=[str(one) for one in done.positions], applied=done.applied)


def _merge_patch() -> dict[str, Any]:
    body = json_body(MemoryPatch)
    [schema] = body["requestBody"]["content"].values()
    body["requestBody"]["content"] = {"application/merge-patch+json": schema, "application/json": schema}
    return body


def _wanted(before: Point | None, patch: MemoryPatch, if_match: str | None) -> Memory:
    """The memory as the patch wants it.

    Raises:
        Problem: 404 there is none, 412 it is not the version that was named, 422 it would break a limit.
    """
    if before is None:
        raise Problem(404, _NO_SUCH)
    if if_match is not None and not matches(if_match, etag_of(before)):
        raise Problem(412, _OTHER_VERSION)
    try:
        return patched(before, patch)
    except ValidationError as error:
        raise validation_problem(error) from None


def _shown(point: Point, response: Response) -> MemoryReply:
    response.headers["ETag"] = etag_of(point)
    return MemoryReply.of(point)


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except NotCaughtUp:
        raise Problem.away("the index has not caught up with the log; nothing was deleted", 2) from None
    except NotAllDeleted as error:
        detail = f"{error.deleted} memories were deleted, and of the others it is not known; sending it again is safe"
        raise Problem.away(detail, deleted=error.deleted) from error
    except Unavailable as error:
        raise Problem.away(NOT_CONFIRMED, error.retry_after) from error
