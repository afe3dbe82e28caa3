"""What a caller may say of a memory, checked: the same for every way in (Python, HTTP, JSON lines)."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Self, TypedDict

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from hybrid_memory.client.errors import FieldError, InvalidMemory
from hybrid_memory.schemas import Memory, MemoryDeleted
from hybrid_memory.schemas.events import Classifiers, MemoryId, Metadata, Moment, ShortWord, Text, UserId

_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d.")


def _written_out(value: Any) -> Any:
    # pydantic would read a number, or a text of digits, as seconds since 1970.
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_FIRST.match(value)):
        return value
    raise PydanticCustomError("datetime_type", "Input should be a date and time such as 2026-01-31T12:00:00Z")


WrittenMoment = Annotated[Moment, BeforeValidator(_written_out, json_schema_input_type=datetime)]


class OptionalFields(TypedDict, total=False):
    """The fields of a memory that a caller may leave out; see `Draft`."""

    memory_id: str | None
    topic: str | None
    type: str | None
    classifiers: Iterable[str] | None
    pinned: bool | None
    metadata: Mapping[str, Any] | None
    created_at: datetime | None
    expires_at: datetime | None
    source: str | None


class Draft(BaseModel):
    """A memory as a caller gives it. What is null counts as not given; other fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    user_id: UserId = Field(description="Whose memory it is.")
    text: Text = Field(description="What is remembered, in words.")
    memory_id: MemoryId | None = Field(default=None, description="Derived from the text where it is not given.")
    topic: ShortWord | None = Field(default=None, description="A coarse subject; inferred where it is not given.")
    type: ShortWord | None = Field(default="stable", description="Any short word.")
    classifiers: Classifiers | None = Field(default=None, description="Made where none are given.")
    pinned: StrictBool | None = Field(
        default=False, description="Keep these classifiers when the same text arrives without any."
    )
    metadata: Metadata | None = Field(default=None, description="Any JSON object.")
    created_at: WrittenMoment | None = Field(default=None, description="The moment of writing where it is not given.")
    expires_at: WrittenMoment | None = Field(default=None, description="From then on it is no longer found.")
    source: ShortWord | None = Field(default="app", description="Where the memory came from, in a word.")

    @field_validator("pinned")
    @classmethod
    def _pins_something(cls, pinned: bool | None, info: ValidationInfo) -> bool | None:
        if pinned and "classifiers" in info.data and not info.data["classifiers"]:
            raise PydanticCustomError("pins_nothing", "pinned needs classifiers to pin")
        return pinned

    def to_memory(self) -> Memory:
        """The memory that this draft says; no classifiers is the same as none given."""
        given = {name: value for name in self.model_fields_set if (value := getattr(self, name)) is not None}
        if not self.classifiers:
            given.pop("classifiers", None)
        return Memory.new(**given)

    @classmethod
    def checked(cls, fields: Mapping[str, Any], index: int | None = None) -> Self:
        """A draft of these fields.

        Raises:
            InvalidMemory: not a mapping, or a field is wrong, missing or unknown; all such are named.
        """
        try:
            return cls.model_validate(dict(fields) if isinstance(fields, Mapping) else fields)
        except ValidationError as error:
            raise InvalidMemory(field_errors(error), index) from None


def as_memory(given: Memory | Mapping[str, Any], index: int | None = None) -> Memory:
    """A memory, from itself or from its fields.

    Raises:
        InvalidMemory: as :meth:`Draft.checked`.
    """
    return given if isinstance(given, Memory) else Draft.checked(given, index).to_memory()


def as_deletion(user_id: str, memory_id: str) -> MemoryDeleted:
    """The deletion of a memory.

    Raises:
        InvalidMemory: an id breaks its limits.
    """
    try:
        return MemoryDeleted(user_id=user_id, memory_id=memory_id)
    except ValidationError as error:
        raise InvalidMemory(field_errors(error)) from None


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each field that is wrong and why, never what was given."""
    return [_field_error(item) for item in error.errors(include_input=False, include_url=False, include_context=False)]


def _field_error(item: ErrorDetails) -> FieldError:
    return FieldError(".".join(str(step) for step in item["loc"]), item["msg"].removeprefix("Value error, "))
