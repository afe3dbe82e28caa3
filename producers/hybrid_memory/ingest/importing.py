"""Bulk import: an answer for each item, so that one that is wrong costs the others nothing."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from hybrid_memory.client.drafts import Draft
from hybrid_memory.client.errors import FieldError, InvalidMemory
from hybrid_memory.ingest.bodies import MAX_BATCH, Item
from hybrid_memory.schemas import Memory

_NOT_CONFIRMED = "Kafka did not confirm it: it may or may not have been written; sending it again is safe"


class Import(BaseModel):
    """Memories of the user whom the path names. Each is as in `/add_memory`, without the `user_id`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"memories": [{"text": "I play the cello"}, {"memory_id": "home", "text": "I live in Oslo"}]}]
        },
    )

    memories: Annotated[list[JsonValue], Field(min_length=1, max_length=MAX_BATCH)]


class FieldFault(BaseModel):
    """What is wrong with a field."""

    field: str
    message: str


class Imported(BaseModel):
    """What became of one item."""

    status: Literal["success", "error"]
    memory_id: str | None = Field(description="null where the item is no memory.")
    position: str | None
    searchable: bool
    errors: list[FieldFault]


class ImportReply(BaseModel):
    """What became of each item, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inserted": 1,
                    "failed": 1,
                    "results": [
                        {
                            "status": "success",
                            "memory_id": "home",
                            "position": "lf_yisXBTk6U6AqTfBcpcA:0:18",
                            "searchable": True,
                            "errors": [],
                        },
                        {
                            "status": "error",
                            "memory_id": None,
                            "position": None,
                            "searchable": False,
                            "errors": [{"field": "text", "message": "Field required"}],
                        },
                    ],
                }
            ]
        }
    )

    inserted: int
    failed: int
    results: list[Imported]


def drafted(user_id: str, items: Sequence[JsonValue]) -> list[Memory | InvalidMemory]:
    """Each item as a memory of this user, or why it is none."""
    return [_drafted(user_id, item) for item in items]


def imported(drafts: Sequence[Memory | InvalidMemory], written: Sequence[Item]) -> ImportReply:
    """The reply, from what became of those that were memories."""
    answers = iter(written)
    results = [_refused(one) if isinstance(one, InvalidMemory) else _written(next(answers)) for one in drafts]
    inserted = sum(result.status == "success" for result in results)
    return ImportReply(inserted=inserted, failed=len(results) - inserted, results=results)


def _drafted(user_id: str, item: JsonValue) -> Memory | InvalidMemory:
    if not isinstance(item, dict):
        return InvalidMemory([FieldError("", "a memory is a JSON object")])
    if item.get("user_id", user_id) != user_id:
        return InvalidMemory([FieldError("user_id", "not the user whom the path names")])
    try:
        return Draft.checked({**item, "user_id": user_id}).to_memory()
    except InvalidMemory as error:
        return error


def _refused(error: InvalidMemory) -> Imported:
    faults = [FieldFault(field=fault.field, message=fault.message) for fault in error.errors]
    return Imported(status="error", memory_id=None, position=None, searchable=False, errors=faults)


def _written(item: Item) -> Imported:
    faults = [] if item.status == "success" else [FieldFault(field="", message=_NOT_CONFIRMED)]
    return Imported(**item.model_dump(), errors=faults)
