"""`/v1/replays`: what `hm replay` does with jobs, for those with the scope admin. Workers do the jobs."""

import asyncio
from collections.abc import Callable
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response

from hybrid_memory.query.replay_bodies import ReplayBody, ReplayReply, ReplaysReply, WantedBody
from hybrid_memory.replay.delete import delete
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.starting import create, define, topics_of
from hybrid_memory.replay.store import load_jobs, want
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.http import Guard, Problem, json_body, read_json
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings

_T = TypeVar("_T")
_ID = r"^[a-z0-9][a-z0-9-]{0,63}$"
_Job = Annotated[str, Path(pattern=_ID, description="The id of a replay.")]


def make_replay_router(settings: Settings, guard: Guard) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1/replays", tags=["operations"], dependencies=[guard.needs(Scope.ADMIN)])

    @router.get("", responses=guard.responses(409, 422, 503))
    async def list_replays(
        cursor: Annotated[str | None, Query(pattern=_ID, description="The `next_cursor` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> ReplaysReply:
        """All replays, the oldest first."""
        jobs = [job for job in await _done(lambda: load_jobs(settings)) if cursor is None or job.id > cursor]
        page = sorted(jobs, key=lambda job: job.id)[:limit]
        more = len(jobs) > limit
        return ReplaysReply(replays=[ReplayReply.of(job) for job in page], next_cursor=page[-1].id if more else None)

    @router.get("/{job}", responses=guard.responses(404, 409, 422, 503))
    async def show_replay(job: _Job) -> ReplayReply:
        """One replay: what was asked for, how far it is, and who works on it."""
        return ReplayReply.of(await _done(lambda: _found(settings, job)))

    _add_changes(router, settings, guard)
    return router


def _add_changes(router: APIRouter, settings: Settings, guard: Guard) -> None:
    @router.post(
        "",
        status_code=201,
        openapi_extra=json_body(ReplayBody),
        responses=guard.responses(400, 409, 413, 415, 422, 503),
    )
    async def start_replay(request: Request, response: Response) -> ReplayReply:
        """Make a replay, which reads to where the log ends now; `hm replay work` does it.

        The keys of all facts are read first, to know the generations: some ten seconds for a million.
        """
        body = await read_json(request, ReplayBody)
        job = await _done(lambda: _started(settings, body))
        response.headers["Location"] = f"/v1/replays/{job.id}"
        return ReplayReply.of(job)

    @router.patch(
        "/{job}",
        openapi_extra=json_body(WantedBody),
        responses=guard.responses(400, 404, 409, 413, 415, 422, 503),
    )
    async def change_replay(job: _Job, request: Request) -> ReplayReply:
        """Pause, resume or cancel a replay; its workers heed it within a batch."""
        body = await read_json(request, WantedBody)

        def change() -> Job:
            want(settings, _found(settings, job), body.wanted)
            return _found(settings, job)

        return ReplayReply.of(await _done(change))

    @router.delete("/{job}", status_code=204, responses=guard.responses(404, 409, 422, 503))
    async def delete_replay(job: _Job) -> None:
        """Delete a replay that is done or cancelled, and what it found. Its facts stay, and cannot be taken back."""
        await _done(lambda: delete(settings, _found(settings, job), Cluster(settings)))


def _started(settings: Settings, body: ReplayBody) -> Job:
    with TemporaryDirectory(prefix="hm-replay-", ignore_cleanup_errors=True) as folder:
        log = Log(body.settings(settings, FilePath(folder)))
        topics_of(log)
        try:
            definition = define(log, body.to_request())
        except Refusal as error:
            raise Problem(422, str(error).replace(f"{folder}/", "")) from None
        return create(log, definition)


def _found(settings: Settings, name: str) -> Job:
    for job in load_jobs(settings):
        if job.id == name:
            return job
    raise Problem(404, "there is no such replay")


async def _done(action: Callable[[], _T]) -> _T:
    """Do it in a thread; what cannot be is a problem reply."""
    try:
        return await asyncio.to_thread(action)
    except Unavailable as error:
        raise Problem.away("Kafka does not answer", error.retry_after) from None
    except Refusal as error:
        raise Problem(409, str(error)) from None
