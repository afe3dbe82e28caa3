"""What the search API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hybrid_memory.index.points import Point
from hybrid_memory.index.store import Hit
from hybrid_memory.schemas import Provenance
from hybrid_memory.schemas.events import Text, UserId

ClassifierSource = Literal["provided", "heuristic", "llm"]
SOURCE_WORDS: dict[str, ClassifierSource] = {"provided": "provided", "rules": "heuristic", "llm": "llm"}


class SearchRequest(BaseModel):
    """A search in one user's memories."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user_id: UserId
    context: Text = Field(description="What the memories should be about, in any words.")
    domain: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="`places` (food and drink), `movies` or `music`; other values do not filter."
    )
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Leave out what scores less; scores compare between queries."
    )
    use_classifiers: bool = True


class Found(BaseModel):
    """A memory that was found."""

    memory_id: str
    text: str
    topic: str | None
    type: str
    classifiers: list[str]
    score: Annotated[float, Field(ge=0, le=1)]
    classifier_source: ClassifierSource
    state: Literal["provisional", "final"]
    metadata: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, hit: Hit) -> "Found":
        return cls(**_common(hit.point), score=hit.score)


class SearchReply(BaseModel):
    """The best memories, best first."""

    memories: list[Found]


class MemoryReply(BaseModel):
    """A memory as the index shows it."""

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


class UserCount(BaseModel):
    user_id: str
    memory_count: int


class UsersReply(BaseModel):
    """Every user with live memories, by name."""

    users: list[UserCount]
    total_users: int
    total_memories: int


class HealthReply(BaseModel):
    """The seed's health check."""

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
