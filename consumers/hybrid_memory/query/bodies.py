"""What the read routes give, and the seed's search takes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from hybrid_memory.index.filters import Filter
from hybrid_memory.index.points import Point
from hybrid_memory.index.store import Hit
from hybrid_memory.query import examples
from hybrid_memory.query.searching import Search
from hybrid_memory.schemas import Provenance
from hybrid_memory.schemas.events import Text, UserId

ClassifierSource = Literal["provided", "heuristic", "llm"]
SOURCE_WORDS: dict[str, ClassifierSource] = {"provided": "provided", "rules": "heuristic", "llm": "llm"}

_TOPIC_OF_DOMAIN = {"places": "food", "movies": "movies", "music": "music"}


def whole(value: Any) -> Any:
    """JSON may write a whole number as 10.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Share = Annotated[float, Field(ge=0, le=1)]


class SearchBody(BaseModel):
    """What every search takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    context: Text = Field(description="What the memories should be about, in any words.")
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole)] = 10
    score_threshold: Share | None = Field(
        default=None, description="Leave out what scores less; scores compare between queries."
    )
    use_classifiers: bool = True
    explain: bool = Field(default=False, description="Tell of each memory what its score is made of.")


class SearchRequest(SearchBody):
    """A search in one user's memories."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SEARCH]})

    user_id: UserId
    domain: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="`places` (food and drink), `movies` or `music`; other values do not filter."
    )

    def to_search(self) -> Search:
        """What is to be searched for."""
        return search_of(self, self.user_id, Filter(topic=_TOPIC_OF_DOMAIN.get(self.domain or "")))


def search_of(body: SearchBody, user_id: str, wanted: Filter) -> Search:
    """The search that a body asks for."""
    threshold = body.score_threshold or 0.0
    return Search(user_id, body.context, body.limit, threshold, body.use_classifiers, wanted)


class Part(BaseModel):
    """A part of a score, and how much it weighs."""

    value: Share
    weight: Share


class Explanation(BaseModel):
    """What a score is made of: the sum of each part's value times its weight."""

    text: Part
    words: Part
    classifiers: Part


class Found(BaseModel):
    """A memory that was found."""

    memory_id: str
    text: str
    topic: str | None
    type: str
    classifiers: list[str]
    score: Share
    classifier_source: ClassifierSource
    state: Literal["provisional", "final"]
    metadata: dict[str, Any]
    created_at: datetime
    explanation: Explanation | None = Field(default=None, description="Only where the search asked to explain.")

    @classmethod
    def of(cls, hit: Hit, explain: bool = False) -> "Found":
        if not explain:
            return cls(**_common(hit.point), score=hit.score)
        weighed = hit.parts.weighed().items()
        parts = {name: Part(value=round(value, 5), weight=round(weight, 5)) for name, (value, weight) in weighed}
        return cls(**_common(hit.point), score=hit.score, explanation=Explanation(**parts))


class SearchReply(BaseModel):
    """The best memories, best first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"memories": [examples.FOUND]}]})

    memories: list[Found]


class MemoryReply(BaseModel):
    """A memory as the index shows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MEMORY]})

    user_id: str
    memory_id: str
    text: str
    topic: str | None
    type: str
    classifiers: list[str]
    pinned: bool
    classifier_source: ClassifierSource
    state: Literal["provisional", "final"]
    provenance: Provenance
    metadata: dict[str, Any]
    created_at: datetime
    expires_at: datetime | None
    source: str
    seq: int
    generation: int

    @classmethod
    def of(cls, point: Point) -> "MemoryReply":
        memory = point.memory
        assert memory is not None
        return cls(
            **_common(point),
            user_id=memory.user_id,
            pinned=memory.pinned,
            provenance=point.provenance,
            expires_at=memory.expires_at,
            source=memory.source,
            seq=point.seq,
            generation=point.generation,
        )


class ListReply(BaseModel):
    """A page of a user's memories."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"memories": [examples.MEMORY], "next_cursor": None}]})

    memories: list[MemoryReply]
    next_cursor: str | None = Field(description="Ask with it for the next page; null at the end.")


class UserCount(BaseModel):
    user_id: str
    memory_count: int


class UsersReply(BaseModel):
    """Every user with live memories, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.USERS]})

    users: list[UserCount]
    total_users: int
    total_memories: int


class HealthReply(BaseModel):
    """The seed's health check."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HEALTH]})

    status: Literal["ok"] = "ok"
    embedding_model: str
    classifier_service: Literal["connected", "unavailable", "disabled"]
    classifier_url: str | None


def _common(point: Point) -> dict[str, Any]:
    memory, provenance = point.memory, point.provenance
    assert memory is not None
    assert provenance is not None
    return {
        "memory_id": memory.memory_id,
        "text": memory.text,
        "topic": point.topic,
        "type": memory.type,
        "classifiers": list(point.classifiers),
        "classifier_source": SOURCE_WORDS[provenance.source],
        "state": point.state,
        "metadata": memory.metadata,
        "created_at": memory.created_at,
    }
