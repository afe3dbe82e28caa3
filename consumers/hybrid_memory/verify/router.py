"""The index behind a service, for those who compare it with the log; needs the scope admin."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request

from hybrid_memory.index.store import VectorStore
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import Guard, Problem, json_body, read_json
from hybrid_memory.verify.bodies import Find, IndexReply, PointsReply
from hybrid_memory.verify.states import Shown
from hybrid_memory.verify.views import PAGE, about, find

_T = TypeVar("_T")


class Reader(Protocol):
    """Answers questions to an index, off the event loop."""

    def read(self, question: Callable[[VectorStore], _T], /) -> Awaitable[_T]: ...


def make_index_router(reader: Callable[[], Reader], guard: Guard) -> APIRouter:
    """The routes. `reader` gives what answers, or raises `Unavailable` while there is none."""
    router = APIRouter(prefix="/v1/index", tags=["operations"], dependencies=[guard.needs(Scope.ADMIN)])

    async def ask(question: Callable[[VectorStore], _T]) -> _T:
        try:
            return await reader().read(question)
        except Unavailable as error:
            raise Problem.away(str(error), error.retry_after) from None

    @router.get("", responses=guard.responses(422, 503))
    async def describe_index() -> IndexReply:
        """Which index this is, and how far it has applied its log."""
        return IndexReply(**dict(await ask(about)))

    @router.get("/points", responses=guard.responses(422, 503))
    async def list_points(
        cursor: Annotated[UUID | None, Query(description="The `next_cursor` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> PointsReply:
        """All points, those of deleted memories too, as digests. What is written meanwhile may be missed."""
        mark = None if cursor is None else str(cursor)
        points, end = await ask(lambda store: store.scroll_points(limit, mark))
        return PointsReply(points=[Shown.of(point) for point in points], next_cursor=end)

    @router.post("/points", openapi_extra=json_body(Find), responses=guard.responses(400, 413, 415, 422, 503))
    async def find_points(request: Request) -> PointsReply:
        """The points of these memories, where they have one."""
        wanted = await read_json(request, Find)
        return PointsReply(points=await ask(lambda store: find(store, wanted.keys)))

    return router
