"""A memory and a patch (RFC 7396: what is null goes, what is absent stays) to the memory that an edit appends. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from hybrid_memory.client.drafts import WrittenMoment
from hybrid_memory.index.points import Point
from hybrid_memory.schemas import Memory
from hybrid_memory.schemas.events import Classifiers, ShortWord, Text

_EXAMPLE: dict[str, Any] = {
    "text": "I love the udon place near the station",
    "metadata": {"mood": None},
    "expires_at": None,
}


class MemoryPatch(BaseModel):
    """What is to change. A field that is null goes back to what it is where nobody gives it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [_EXAMPLE]}
    )

    text: Text = Field(
        default_factory=str, description="New words. Machine-made classifiers are made anew, the caller's stay."
    )
    topic: ShortWord | None = Field(default=None, description="null: inferred.")
    type: ShortWord | None = Field(default=None, description="null: stable.")
    classifiers: Classifiers | None = Field(default=None, description="null: made by machine again, and not pinned.")
    pinned: StrictBool | None = Field(
        default=None, description="true without classifiers pins those that the memory shows."
    )
    metadata: dict[str, JsonValue] | None = Field(
        default=None, description="Merged into what is there, at every depth; a null in it takes a field away."
    )
    expires_at: WrittenMoment | None = Field(default=None, description="null: never.")


def patched(point: Point, patch: MemoryPatch) -> Memory:
    """The memory of a live point as the patch wants it.

    Raises:
        pydantic.ValidationError: it would break a limit.
    """
    memory = point.memory
    assert memory is not None
    given = {name: getattr(patch, name) for name in patch.model_fields_set}
    changed = {name: value for name, value in given.items() if name != "metadata"} | _labels(point, given)
    if "metadata" in given:
        changed["metadata"] = merged(memory.metadata, given["metadata"] or {}) if given["metadata"] is not None else {}
    fields = {**dict(memory), **changed}
    return Memory.model_validate({name: value for name, value in fields.items() if value is not None})


def merged(target: Mapping[str, JsonValue], patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """RFC 7396."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            under = result.get(name)
            result[name] = merged(under if isinstance(under, dict) else {}, value)
        else:
            result[name] = value
    return result


def _labels(point: Point, given: Mapping[str, Any]) -> dict[str, Any]:
    """Classifiers and pin. No classifiers is the same as none given; unless said otherwise, they go with their pin."""
    memory = point.memory
    assert memory is not None
    if "classifiers" in given:
        labels = given["classifiers"] or None
        return {"classifiers": labels, "pinned": given.get("pinned", memory.pinned and labels is not None)}
    if given.get("pinned") and memory.classifiers is None:
        return {"classifiers": point.classifiers or None, "pinned": True}
    return {}
