"""The read routes. The seed's stand at the root, ours under `/v1`."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request

from hybrid_memory.query.bodies import Found, HealthReply, SearchReply, SearchRequest, UserCount, UsersReply
from hybrid_memory.query.memories import add_memories
from hybrid_memory.query.searching import Searcher
from hybrid_memory.query.user_search import add_search
from hybrid_memory.runtime.access.caller import Caller, Scope, may, reaches
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import Guard, Problem, json_body, problem_responses, read_json, require_user
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.applied import Applied


def make_router(
    searcher: Callable[[], Searcher], settings: Settings, guard: Guard | None = None, applied: Applied | None = None
) -> APIRouter:
    """The read routes. `searcher` gives what answers, or raises `Unavailable` while there is none.

    `guard` says who may read; without one, everybody may. `applied` says how far the index has come.
    """
    guard = guard or Guard()
    router = APIRouter(tags=["read"])

    def ready() -> Searcher:
        return ready_or_problem(searcher)

    _add_search(router, ready, guard)
    _add_users(router, ready, guard)
    add_search(router, ready, applied or Applied(), guard)
    add_memories(router, ready, guard)
    _add_health(router, settings, guard)
    return router


def ready_or_problem(searcher: Callable[[], Searcher]) -> Searcher:
    """What answers.

    Raises:
        Problem: 503 there is none yet.
    """
    try:
        return searcher()
    except Unavailable as error:
        raise Problem.away(str(error), error.retry_after) from None


def _add_search(router: APIRouter, ready: Callable[[], Searcher], guard: Guard) -> None:
    @router.post(
        "/search",
        openapi_extra=json_body(SearchRequest),
        responses=guard.responses(400, 413, 415, 422, 503),
        response_model_exclude_unset=True,
    )
    async def search(request: Request, caller: Annotated[Caller, guard.needs(Scope.READ)]) -> SearchReply:
        """The user's memories that fit a context, best first."""
        wanted = await read_json(request, SearchRequest)
        require_user(caller, wanted.user_id)
        hits = await ready().search(wanted.to_search())
        return SearchReply(memories=[Found.of(hit, wanted.explain) for hit in hits])


def _add_users(router: APIRouter, ready: Callable[[], Searcher], guard: Guard) -> None:
    @router.get("/list_users", responses=guard.responses(422, 503))
    async def list_users(caller: Annotated[Caller, guard.needs(Scope.READ)]) -> UsersReply:
        """Every user with memories, and how many, of those whom the caller reaches."""
        users = {user: count for user, count in (await ready().users()).items() if reaches(caller, user)}
        counts = [UserCount(user_id=user, memory_count=count) for user, count in sorted(users.items())]
        return UsersReply(users=counts, total_users=len(counts), total_memories=sum(users.values()))


def _add_health(router: APIRouter, settings: Settings, guard: Guard) -> None:
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
