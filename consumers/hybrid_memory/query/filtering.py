"""What callers may filter by, in a body and in a query string; the same names in both."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_core import PydanticCustomError

from hybrid_memory.client.drafts import WrittenMoment
from hybrid_memory.index.filters import MAX_TERM, Filter, Scalar, metadata_term
from hybrid_memory.index.listing import Order, milliseconds
from hybrid_memory.schemas.events import MAX_CLASSIFIERS, Label, ShortWord

Labels = Annotated[list[Label], Field(max_length=MAX_CLASSIFIERS)]
_BLANK_FOR_PLUS = re.compile(r":\d\d\S* \d\d:?\d\d$")


def _scalar(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError:  # which has an error for each type that it could have been
        raise PydanticCustomError("scalar_type", "a text, a number, true, false or null is needed") from None


Value = Annotated[Scalar, WrapValidator(_scalar)]
Fields = Annotated[dict[str, Value], Field(max_length=16)]


class FilterBody(BaseModel):
    """Which memories may be shown. All that is given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    classifiers_any: Labels = Field(default=[], description="At least one of these, letter by letter.")
    classifiers_all: Labels = Field(default=[], description="Every one of these.")
    topic: ShortWord | None = None
    type: ShortWord | None = None
    state: Literal["provisional", "final"] | None = None
    metadata: Fields = Field(
        default={},
        description="Top-level fields of the metadata and their values: texts, numbers, true, false or null. "
        f"A field whose name and value are longer than {MAX_TERM} characters as JSON cannot be filtered on.",
    )
    created_from: WrittenMoment | None = Field(default=None, description="Created then or later, to the millisecond.")
    created_to: WrittenMoment | None = Field(default=None, description="Created before, to the millisecond.")

    @field_validator("metadata")
    @classmethod
    def _short(cls, metadata: dict[str, Scalar]) -> dict[str, Scalar]:
        if any(metadata_term(name, value) is None for name, value in metadata.items()):
            raise PydanticCustomError("too_long", f"a name and value of more than {MAX_TERM} characters as JSON")
        return metadata

    def to_filter(self) -> Filter:
        """The filter that the index takes."""
        terms = (metadata_term(name, value) for name, value in self.metadata.items())
        return Filter(
            any_classifiers=tuple(self.classifiers_any),
            all_classifiers=tuple(self.classifiers_all),
            topic=self.topic,
            type=self.type,
            state=self.state,
            metadata=tuple(sorted(term for term in terms if term is not None)),
            created_from=None if self.created_from is None else milliseconds(self.created_from),
            created_to=None if self.created_to is None else milliseconds(self.created_to),
        )


def _from_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        raise PydanticCustomError("json_invalid", "a JSON object is needed") from None


class ListParams(FilterBody):
    """The query string of a list."""

    metadata: Annotated[Fields, BeforeValidator(_from_json, json_schema_input_type=str)] = Field(
        default={}, description='As in a search; a JSON object, such as {"colour":"red"}.'
    )
    order: Order = Field(
        default="newest",
        description="`newest`, `oldest`: by when it was last written; `created_at`, `-created_at`: by its date.",
    )
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="The `next_cursor` of the page before, with the same filters and order."
    )

    @field_validator("created_from", "created_to", mode="before")
    @classmethod
    def _with_plus(cls, value: Any) -> Any:
        if isinstance(value, str) and _BLANK_FOR_PLUS.search(value):
            raise PydanticCustomError("plus", "a + arrives as a blank: write it as %2B, or the moment in UTC, with Z")
        return value
