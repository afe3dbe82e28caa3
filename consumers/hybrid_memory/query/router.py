"""The read routes. The seed's stand at the root, ours under `/v1`."""

from collections.abc import Callable
from typing import Any, Literal

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
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import PathId, Problem, json_body, problem_responses, read_json
from hybrid_memory.runtime.settings import Settings


def make_router(searcher: Callable[[], Searcher], settings: Settings) -> APIRouter:
    """The read routes. `searcher` gives what answers, or raises `Unavailable` while there is none."""
    router = APIRouter(tags=["read"])

    def ready() -> Searcher:
        try:
            return searcher()
        except Unavailable as error:
            raise Problem.away(str(error), error.retry_after) from None

    @router.post(
        "/search", openapi_extra=json_body(SearchRequest), responses=problem_responses(400, 413, 415, 422, 503)
    )
    async def search(request: Request) -> SearchReply:
        """The user's memories that fit a context, best first."""
        wanted = await read_json(request, SearchRequest)
        return SearchReply(memories=[Found.of(hit) for hit in await ready().search(wanted)])

    @router.get("/list_users", responses=problem_responses(503))
    async def list_users() -> UsersReply:
        """Every user with memories, and how many."""
        users = await ready().users()
        counts = [UserCount(user_id=user, memory_count=count) for user, count in sorted(users.items())]
        return UsersReply(users=counts, total_users=len(counts), total_memories=sum(users.values()))

    @router.get("/v1/users/{user_id}/memories/{memory_id}", responses=problem_responses(404, 503))
    async def get_memory(user_id: PathId, memory_id: PathId, response: Response) -> MemoryReply:
        """One memory; its version is the `ETag`."""
        point = await ready().get(user_id, memory_id)
        if point is None:
            raise Problem(404, "this user has no such memory")
        response.headers["ETag"] = f'"{point.seq}.{point.generation}"'
        return MemoryReply.of(point)

    @router.get("/health", tags=["operations"])
    async def health() -> HealthReply:
        """The seed's health check: it answers as soon as the process does."""
        url = settings.classifier_service_url if settings.use_classifier_service else None
        return HealthReply(
            embedding_model=settings.embedder.model, classifier_service=await _service(url), classifier_url=url
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
