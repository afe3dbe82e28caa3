"""What may be said of a memory: the values of the topics `memories` and `memories.classified`.

Limits stand here and nowhere else. Readers ignore unknown fields; only optional fields may be added.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hybrid_memory.schemas.identity import derive_memory_id, fact_key, memory_key, normalise_text

MAX_TEXT = 16_384
MAX_CLASSIFIERS = 16
MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 64
"""JSON parsers stop at some depth; this leaves room for the facts and envelopes that wrap a memory."""

_NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]+$"


def _canonical_classifiers(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Drop repeats (case ignored), keep the first of each and the order."""
    kept: dict[str, str] = {}
    for label in labels:
        kept.setdefault(label.casefold(), label)
    return tuple(kept.values())


def _bounded_metadata(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not metadata:  # of most memories, and they are read often
        return metadata
    if _depth(metadata) > MAX_METADATA_DEPTH:
        raise _too_big(f"metadata nests deeper than {MAX_METADATA_DEPTH} levels")
    if not _is_finite(metadata):
        raise ValueError("metadata holds a number that JSON cannot write (NaN or infinity)")
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_METADATA_BYTES:
        raise _too_big(f"metadata is {size} bytes as JSON; at most {MAX_METADATA_BYTES} are allowed")
    return metadata


def _too_big(message: str) -> PydanticCustomError:
    # Of pydantic's own type for such, so that readers class it as a limit.
    return PydanticCustomError("too_long", message)


def _depth(value: JsonValue) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, children), default=0)


def _is_finite(value: JsonValue) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    return all(_is_finite(item) for item in value) if isinstance(value, list) else True


def _within_utc(moment: datetime) -> datetime:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment lies outside the years 1 to 9999 in UTC") from None
    return moment


UserId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_NO_CONTROL)]
MemoryId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_NO_CONTROL)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_NO_CONTROL)]
Classifiers = Annotated[tuple[Label, ...], Field(max_length=MAX_CLASSIFIERS), AfterValidator(_canonical_classifiers)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_bounded_metadata)]
Moment = Annotated[AwareDatetime, AfterValidator(_within_utc)]
ShortWord = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_NO_CONTROL)]
Offset = Annotated[int, Field(ge=0, lt=2**53)]
Generation = Annotated[int, Field(ge=0, lt=2**31)]
Source = Literal["provided", "rules", "llm"]
"""Who made a memory's classifiers: its caller, the key-word rules, or a language model."""


def _derived_id(user_id: object, text: object) -> str:
    """The id that a text gives, or a stand-in where validation will refuse the user or the text anyway."""
    try:
        return derive_memory_id(user_id, text) if isinstance(user_id, str) and isinstance(text, str) else "underived"
    except UnicodeEncodeError:  # a lone surrogate
        return "underived"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Position(_Value):
    """Where a record stands in the log: the only clock there is."""

    topic_id: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        description="Kafka's own id of the topic, which a topic made anew does not share."
    )
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset

    def __str__(self) -> str:
        """The form in which clients keep it: `topic_id:partition:offset`."""
        return f"{self.topic_id}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what :meth:`__str__` wrote.

        Raises:
            ValueError: `text` is not of that form.
        """
        match = re.fullmatch(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,9}):([0-9]{1,16})", text)
        if match is None or int(match[3]) >= 2**53:
            raise ValueError(f"position {text!r} is not of the form topic_id:partition:offset")
        return cls(topic_id=match[1], partition=int(match[2]), offset=int(match[3]))


class Memory(_Value):
    """A memory as a whole, never a patch: the value of a record of `memories`."""

    user_id: UserId = Field(description="Whose memory it is.")
    memory_id: MemoryId = Field(description="Which of the user's memories; without one, it follows from the text.")
    text: Text = Field(description="What is remembered. White space at both ends is trimmed; limits count afterwards.")
    topic: ShortWord | None = Field(default=None, description="A coarse subject; inferred where it is not given.")
    type: ShortWord = Field(default="stable", description="Any short word of the caller's, such as how lasting it is.")
    classifiers: Classifiers | None = Field(
        default=None,
        description="The caller's own classifiers, repeats dropped; without them they are made by rules and a model.",
    )
    pinned: bool = Field(
        default=False,
        description="Keep the classifiers when the same text arrives without any; needs classifiers.",
    )
    metadata: Metadata = Field(
        default_factory=dict,
        description=f"The caller's own JSON object: at most {MAX_METADATA_BYTES} bytes as compact JSON in UTF-8, "
        f"at most {MAX_METADATA_DEPTH} levels deep, finite numbers.",
    )
    created_at: Moment = Field(
        default_factory=lambda: datetime.now(UTC),
        description="When it was made, with the offset from UTC; without it, its time in the log. It orders nothing.",
    )
    expires_at: Moment | None = Field(default=None, description="From then on it is not found, and then deleted.")
    source: ShortWord = Field(default="app", description="Where the memory came from, in a word.")

    @classmethod
    def new(cls, *, user_id: str, text: str, memory_id: str | None = None, **rest: Any) -> Self:
        """A memory whose id, where the caller gives none, follows from its text.

        Raises:
            pydantic.ValidationError: a field breaks its limit; every such field is named.
        """
        derived = memory_id if memory_id is not None else _derived_id(user_id, text)
        return cls(user_id=user_id, text=text, memory_id=derived, **rest)

    @field_validator("pinned")
    @classmethod
    def _pins_something(cls, pinned: bool, info: ValidationInfo) -> bool:
        # Classifiers that were refused are not in the data; that is error enough.
        if pinned and info.data.get("classifiers", ()) is None:
            raise ValueError("pinned needs classifiers to pin")
        return pinned

    @property
    def key(self) -> str:
        """Its record key, the same in every version."""
        return memory_key(self.user_id, self.memory_id)

    @property
    def has_derived_id(self) -> bool:
        """Whether its id is the one that its own text gives, so that adding it twice is adding it once."""
        return self.memory_id == derive_memory_id(self.user_id, self.text)

    def same_text(self, other: "Memory") -> bool:
        """Whether both say the same, in the sense in which ids are derived."""
        return normalise_text(self.text) == normalise_text(other.text)


class MemoryDeleted(_Value):
    """A memory is gone: a record of `memories` without a value."""

    user_id: UserId
    memory_id: MemoryId

    @property
    def key(self) -> str:
        return memory_key(self.user_id, self.memory_id)


class Provenance(_Value):
    """Where classifiers came from."""

    source: Source
    model: str | None = None
    revision: str | None = None
    prompt: str | None = Field(default=None, description="Version of the prompt.")
    taxonomy: str | None = Field(default=None, description="Version of the taxonomy or of the rules.")
    generation: Generation = Field(
        default=0, description="Raised with a new model, prompt or taxonomy; 0 is the sink's own rules."
    )
    at: Moment = Field(description="When the classifiers were made.")


class MachineProvenance(Provenance):
    """Provenance of a fact: the caller's own classifiers travel with the memory, never as a fact."""

    source: Literal["rules", "llm"]


class MemoryClassified(_Value):
    """One fact: the memory as it was at `seq`, its classifiers and where they came from.

    The value of a record of `memories.classified`.
    """

    memory: Memory
    seq: Offset = Field(description="The offset of the memory's record in `memories`: its version.")
    generation: Generation = Field(description="The same as the provenance's.")
    classifiers: Classifiers = Field(description="Its short semantic labels, repeats dropped.")
    provenance: MachineProvenance = Field(description="Who made the classifiers, with what, and when.")
    origin: Position = Field(description="The memory's record in `memories`; its offset is `seq`.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.origin.offset != self.seq:
            raise ValueError("seq is not the offset of origin")
        if self.provenance.generation != self.generation:
            raise ValueError("generation is not the one of the provenance")
        return self

    @property
    def key(self) -> str:
        return fact_key(self.memory.key, self.seq, self.generation)


class FactSuperseded(_Value):
    """A fact no longer counts: a record of `memories.classified` without a value."""

    memory_key: str
    seq: Offset
    generation: Generation

    @property
    def key(self) -> str:
        return fact_key(self.memory_key, self.seq, self.generation)


MemoryEvent = Memory | MemoryDeleted
FactEvent = MemoryClassified | FactSuperseded
