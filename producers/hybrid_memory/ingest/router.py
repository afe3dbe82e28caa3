"""The routes. The seed's stand at the root, ours under `/v1`."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import ValidationError

from hybrid_memory.ingest.bodies import Added, AddedMany, AddMemories, AddMemory, Deleted, Item
from hybrid_memory.ingest.importing import Import, ImportReply, drafted, imported
from hybrid_memory.ingest.inserting import Ingest, Trace
from hybrid_memory.ingest.ports import Describe, Look, Outcome, Waiter, Writer
from hybrid_memory.runtime.access.caller import Caller, Scope
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import Guard, PathId, Problem, json_body, read_json, require_user, require_users
from hybrid_memory.runtime.http.problems import validation_problem
from hybrid_memory.runtime.http.versions import IfMatch
from hybrid_memory.schemas import Memory, MemoryDeleted, Position

NOT_CONFIRMED = "Kafka did not confirm the write in time: it may or may not have been written; sending it again is safe"

DeleteIf = Callable[[MemoryDeleted, str, Trace, bool], Awaitable[Deleted]]
"""Deletes a memory if it is at the version that an `If-Match` names, waiting for the index if told so. Raises a
Problem (412) where it is not, or where another write came before."""

Wait = Annotated[bool, Query(description="false: answer when the write is durable, without waiting for the index.")]


def make_router(
    writer: Writer,
    waiter: Waiter,
    describe: Describe,
    *,
    wait_ms: int = 10_000,
    expect_stream: bool = False,
    guard: Guard | None = None,
    look: Look | None = None,
    delete_if: DeleteIf | None = None,
) -> APIRouter:
    """The write routes. The app must have `install_problems`, `BodyLimit` and `EncodedSlashes`.

    `wait_ms` bounds how long a write waits until it is searchable; `expect_stream` is what the reply's
    `async_improvement` says. `guard` says who may write; without one, everybody may. With `look`, a reply
    that waited tells what the index shows; else what key words say. Without `delete_if`, no version can be named.
    """
    guard = guard or Guard()
    writing = guard.needs(Scope.WRITE)
    ingest = Ingest(writer, waiter, describe, wait_ms / 1000, expect_stream, look)
    router = APIRouter(tags=["write"])

    @router.post("/add_memory", openapi_extra=json_body(AddMemory), responses=guard.responses(400, 413, 415, 422, 503))
    async def add_memory(
        request: Request, caller: Annotated[Caller, writing], trace: Tracing, wait: Wait = True
    ) -> Added:
        """Add a memory, or replace the one with this id. Without an id the same text is the same memory."""
        memory = (await read_json(request, AddMemory)).to_memory()
        require_user(caller, memory.user_id)
        with _away():
            return await ingest.add(memory, trace, wait)

    @router.post(
        "/add_memories_batch",
        openapi_extra=json_body(AddMemories),
        responses=guard.responses(400, 413, 415, 422, 503),
    )
    async def add_memories_batch(
        request: Request, caller: Annotated[Caller, writing], trace: Tracing, wait: Wait = True
    ) -> AddedMany:
        """Add up to 1,000 memories. One that is not valid, or not the caller's to write, refuses them all; nothing
        is written then.

        Where not all could be written the reply is 503, and its `results` say which were.
        """
        batch = await read_json(request, AddMemories)
        memories = [draft.to_memory() for draft in batch.memories]
        require_users(caller, [memory.user_id for memory in memories])
        results, outcomes = await ingest.add_all(memories, trace, wait)
        with _away():
            _refuse_losses(results, outcomes)
        return AddedMany(inserted=len(results), results=results)

    @router.post(
        "/v1/users/{user_id}/memories",
        dependencies=[writing],
        openapi_extra=json_body(Import),
        responses=guard.responses(400, 413, 415, 422, 503),
    )
    async def import_memories(user_id: PathId, request: Request, trace: Tracing, wait: Wait = True) -> ImportReply:
        """Add up to 1,000 memories of a user. Each has its own answer; one that is wrong costs the others nothing."""
        drafts = drafted(user_id, (await read_json(request, Import)).memories)
        memories = [draft for draft in drafts if isinstance(draft, Memory)]
        results, outcomes = await ingest.add_all(memories, trace, wait)
        if outcomes and not any(isinstance(outcome, Position) for outcome in outcomes):
            with _away():
                _refuse_losses(results, outcomes)
        return imported(drafts, results)

    @router.delete(
        "/v1/users/{user_id}/memories/{memory_id}", dependencies=[writing], responses=guard.responses(412, 422, 503)
    )
    async def delete_memory(
        user_id: PathId,
        memory_id: PathId,
        trace: Tracing,
        wait: Wait = True,
        if_match: Annotated[IfMatch, Header(description="The version to delete; another is 412.")] = None,
    ) -> Deleted:
        """Delete a memory. One that does not exist may be deleted too, unless `If-Match` names a version."""
        deletion = _deletion(user_id, memory_id)
        if if_match is not None:
            if delete_if is None:
                raise Problem(412, "this service keeps no versions")
            return await delete_if(deletion, if_match, trace, wait)
        with _away():
            return await ingest.delete(deletion, trace, wait)

    return router


async def _trace(request: Request) -> Trace:  # not in a thread: that costs more than it does
    return Trace(request.headers.get("traceparent"), request.headers.get("tracestate"))


Tracing = Annotated[Trace, Depends(_trace)]


def _deletion(user_id: str, memory_id: str) -> MemoryDeleted:
    try:
        return MemoryDeleted(user_id=user_id, memory_id=memory_id)
    except ValidationError as error:
        raise validation_problem(error) from None


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        raise Problem.away(NOT_CONFIRMED, error.retry_after) from error


def _refuse_losses(results: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
    """Raise if a memory of a batch was not written: the seed's clients look at the status alone."""
    lost = [outcome for outcome in outcomes if not isinstance(outcome, Position)]
    inserted = len(outcomes) - len(lost)
    if lost and not inserted:
        raise lost[0]
    if lost:
        detail = (
            f"{inserted} of {len(outcomes)} memories were written; Kafka did not confirm the others in time, and they "
            "may or may not have been written; sending them again is safe"
        )
        raise Problem.away(detail, inserted=inserted, results=[item.model_dump() for item in results])
