"""The search under `/v1`: filters, explanations, and positions to wait for."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from hybrid_memory.query import examples
from hybrid_memory.query.bodies import Found, SearchBody, search_of, whole
from hybrid_memory.query.filtering import FilterBody
from hybrid_memory.query.fresh import wait_until_shown
from hybrid_memory.query.searching import Searcher
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.http import Guard, PathId, json_body, read_json
from hybrid_memory.schemas import Position
from hybrid_memory.sink.applied import Applied

_FORM = r"^[A-Za-z0-9_-]{1,64}:[0-9]{1,9}:[0-9]{1,15}$"


def _checked(value: Any) -> Any:
    if not isinstance(value, str) or re.fullmatch(_FORM, value) is None:
        said = "a position is the topic's id, the partition and the offset, as a reply has it: {example}"
        raise PydanticCustomError("position", said, {"example": examples.POSITION})
    return value


_Text = Annotated[str, BeforeValidator(_checked), WithJsonSchema({"type": "string", "pattern": _FORM})]
_Texts = Annotated[list[_Text], Field(max_length=1000)]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [_checked(value)]


Positions = Annotated[_Texts, BeforeValidator(_listed, json_schema_input_type=_Text | _Texts)]


class UserSearch(SearchBody):
    """A search in the memories of the user whom the path names."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "context": "Where shall we eat tonight?",
                    "filter": {"topic": "food", "metadata": {"mood": "hungry"}},
                    "explain": True,
                }
            ]
        }
    )

    filter: FilterBody = FilterBody()
    position: Positions = Field(
        default=[], description="Wait until the index shows this write, or all of these: the `position` of a reply."
    )
    wait_ms: Annotated[int, Field(ge=0, le=60_000), BeforeValidator(whole)] = Field(
        default=5000, description="How long to wait for them; then it searches what is there, and says so in `fresh`."
    )


class UserSearchReply(BaseModel):
    """The best memories, best first, and how much of the log they were searched in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"memories": [examples.EXPLAINED], "fresh": True, "searched": [examples.POSITION]}]
        }
    )

    memories: list[Found]
    fresh: bool = Field(description="Whether it saw every write that was asked for; true where none was.")
    searched: list[str] = Field(
        description="Of each partition of those writes, the last position that it saw, with all before it."
    )


def add_search(router: APIRouter, searcher: Callable[[], Searcher], applied: Applied, guard: Guard) -> None:
    """`POST /v1/users/{user_id}/search`. `searcher` gives what answers, or raises a `Problem` while there is none."""

    @router.post(
        "/v1/users/{user_id}/search",
        dependencies=[guard.needs(Scope.READ)],
        openapi_extra=json_body(UserSearch),
        responses=guard.responses(400, 413, 415, 422, 503),
        response_model_exclude_unset=True,
    )
    async def search_user(user_id: PathId, request: Request) -> UserSearchReply:
        """The user's memories that fit a context and a filter, best first; after a write, where that is asked for."""
        wanted = await read_json(request, UserSearch)
        answering, positions = searcher(), [Position.parse(text) for text in wanted.position]
        seen = await wait_until_shown(applied, positions, wanted.wait_ms / 1000)
        hits = await answering.search(search_of(wanted, user_id, wanted.filter.to_filter()))
        found: Any = [Found.of(hit, wanted.explain) for hit in hits]
        return UserSearchReply(memories=found, fresh=seen.fresh, searched=[str(end) for end in seen.searched])
