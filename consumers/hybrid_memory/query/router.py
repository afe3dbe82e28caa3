"""The read routes. The seed's stand at the root, ours under `/v1`."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response

from hybrid_memory.query.bodies import (
    Found,
    HealthReply,
    MemoryReply,
    SearchReply,
    SearchRequest,
    UserCount,
    UsersReply,
)
from hybrid_memory.query.searching import Searcher
from hybrid_memory.runtime.access.caller import Caller, Scope, may, reaches
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import Guard, PathId, Problem, json_body, problem_responses, read_json, require_user
from hybrid_memory.runtime.settings import Settings


def make_router(searcher: Callable[[], Searcher], settings: Settings, guard: Guard | None = None) -> APIRouter:
    """The read routes. `searcher` gives what answers, or raises `Unavailable` while there is none.

    `guard` says who may read; without one, everybody may.
    """
    guard = guard or Guard()
    reading = guard.needs(Scope.READ)
    router = APIRouter(tags=["read"])

    def ready() -> Searcher:
        try:
            return searcher()
        except Unavailable as error:
            raise Problem.away(str(error), error.retry_after) from None

    @router.post("/search", openapi_extra=json_body(SearchRequest), responses=guard.responses(400, 413, 415, 422, 503))
    async def search(request: Request, caller: Annotated[Caller, reading]) -> SearchReply:
        """The user's memories that fit a context, best first."""
        wanted = await read_json(request, SearchRequest)
        require_user(caller, wanted.user_id)
        return SearchReply(memories=[Found.of(hit) for hit in await ready().search(wanted)])

    @router.get("/list_users", responses=guard.responses(503))
    async def list_users(caller: Annotated[Caller, reading]) -> UsersReply:
        """Every user with memories, and how many, of those whom the caller reaches."""
        users = {user: count for user, count in (await ready().users()).items() if reaches(caller, user)}
        counts = [UserCount(user_id=user, memory_count=count) for user, count in sorted(users.items())]
        return UsersReply(users=counts, total_users=len(counts), total_memories=sum(users.values()))

    @router.get("/v1/users/{user_id}/memories/{memory_id}", dependencies=[reading], responses=guard.responses(404, 503))
    async def get_memory(user_id: PathId, memory_id: PathId, response: Response) -> MemoryReply:
        """One memory; its version is the `ETag`."""
        point = await ready().get(user_id, memory_id)
        if point is None:
            raise Problem(404, "this user has no such memory")
        response.headers["ETag"] = f'"{point.seq}.{point.generation}"'
        return MemoryReply.of(point)

    @router.get("/health", tags=["operations"], responses=problem_responses(429))
    async def health(caller: Annotated[Caller | None, guard.asks()]) -> HealthReply:
        """The seed's health check: it answers as soon as the process does. Where keys are asked for, the URL is shown
        to those with the scope admin alone.
        """
        url = settings.classifier_service_url if settings.use_classifier_service else None
        return HealthReply(
            embedding_model=settings.embedder.model,
            classifier_service=await _service(url),
            classifier_url=url if caller is not None and may(caller, Scope.ADMIN) else None,
        )

    return router


async def _service(url: str | None) -> Literal["connected", "unavailable", "disabled"]:
    """Whether the classifier service at `url` answers within a second."""
    if url is None:
        return "disabled"
    import httpx

    async with httpx.AsyncClient(timeout=1.0) as client:
        try:
            reply: Any = await client.get(url.rstrip("/") + "/health")
        except (httpx.HTTPError, httpx.InvalidURL):
            return "unavailable"
    return "connected" if reply.status_code == 200 else "unavailable"
