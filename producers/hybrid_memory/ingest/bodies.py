"""Requests and replies. The seed's fields come first; clients of the seed send and read those alone."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hybrid_memory.client.drafts import Draft
from hybrid_memory.ingest.ports import ClassifierSource

MAX_BATCH = 1000


_EXAMPLE: dict[str, Any] = {"user_id": "ada", "text": "I love the ramen place near the station"}
_WRITTEN: dict[str, Any] = {
    "memory_id": "40bc3277-8150-5331-87da-7ad021026e88",
    "position": "lf_yisXBTk6U6AqTfBcpcA:0:17",
    "status": "success",
}


class AddMemory(Draft):
    """A memory to add."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class AddMemories(BaseModel):
    """Memories to add, all or none of them valid."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"memories": [_EXAMPLE]}]})

    memories: Annotated[list[AddMemory], Field(min_length=1, max_length=MAX_BATCH)]


class Written(BaseModel):
    """Where a write stands in the log."""

    memory_id: str
    position: str = Field(description="topic_id:partition:offset; a search can wait for it")


class Added(Written):
    """The reply to a memory: it is durable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_WRITTEN,
                    "topic": "food",
                    "classifiers": ["cuisine type"],
                    "classifier_source": "heuristic",
                    "async_improvement": False,
                    "searchable": True,
                }
            ]
        }
    )

    status: Literal["success"] = "success"
    topic: str | None
    classifiers: list[str]
    classifier_source: ClassifierSource = Field(description="llm: a model's, of the same text when it was added before")
    async_improvement: bool = Field(description="Whether better classifiers will follow.")
    searchable: bool = Field(description="Whether a search that starts now finds it.")


class Item(BaseModel):
    """What became of one memory of a batch."""

    status: Literal["success", "error"]
    memory_id: str
    position: str | None
    searchable: bool


class AddedMany(BaseModel):
    """The reply to a batch: all of it is durable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "success", "inserted": 1, "results": [_WRITTEN | {"searchable": True}]}]
        }
    )

    status: Literal["success"] = "success"
    inserted: int
    results: list[Item]


class Deleted(Written):
    """The reply to a deletion: it is durable."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WRITTEN | {"applied": True}]})

    status: Literal["success"] = "success"
    applied: bool = Field(description="Whether a search that starts now no longer finds the memory.")
