"""What the routes of dead letters take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from hybrid_memory.dlq.letters import Filter, Letter, Ref, parse_age
from hybrid_memory.dlq.plan import Plan
from hybrid_memory.dlq.showing import summary, whole
from hybrid_memory.query.bodies import whole as whole_number
from hybrid_memory.query.dead_letter_desk import GONE, Meant

TOPIC = r"^[A-Za-z0-9._-]{1,249}$"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}:[0-9]{1,9}:[0-9]{1,15}$")]
"""A letter by where it stands: TOPIC:PARTITION:OFFSET."""
_Topic = Annotated[str, StringConstraints(pattern=TOPIC)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Age = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}[smhdw]$")]

_NAME = "dlq.memories:3:41"
_LETTER: dict[str, Any] = {
    "letter": _NAME,
    "key": "ada/home",
    "error_class": "poison",
    "stage": "sink",
    "exception": "DecodeError",
    "message": "Invalid JSON: expected `,` or `}` at line 1 column 17",
    "source": {"topic": "memories", "partition": 3, "offset": 17},
    "redrives": 0,
    "failed_at": "2026-11-22T19:32:59.658000Z",
    "left_out": "",
}
_WHOLE = _LETTER | {
    "stack": "",
    "timestamp": 1795375979000,
    "headers": [{"name": "ce_type", "value": "io.hybrid-memory.memory.upserted.v1"}],
    "value": '{"user_id":"ada" "memory_id":"home"}',
}


class LetterFilter(BaseModel):
    """Which letters are meant; all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    topic: _Topic | None = Field(default=None, description="One of our dead-letter topics; all of them, if not said.")
    error_class: _Word | None = Field(default=None, description="poison, schema, policy, limit, or an exception.")
    stage: _Word | None = Field(default=None, description="The step that failed, say sink.")
    older_than: _Age | None = Field(default=None, description="First failed longer ago than 90s, 15m, 1h, 2d or 3w.")

    def to_meant(self) -> Meant:
        """What is meant by it."""
        age = None if self.older_than is None else parse_age(self.older_than)
        return Meant(topic=self.topic, wanted=Filter(self.error_class, self.stage, age))


class LetterParams(LetterFilter):
    """The query string of a list."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="The `next_cursor` of the page before, with the same filter."
    )


class _Choice(BaseModel):
    """Letters by name, or by a filter; an empty filter means all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    letters: list[Name] | None = Field(default=None, min_length=1, max_length=1000)
    filter: LetterFilter | None = None
    dry_run: bool = Field(default=False, description="Say what would be done, and do nothing.")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.letters is None) == (self.filter is None):
            raise ValueError("say which letters: by their names in `letters`, or by a `filter`, but not both")
        return self

    def to_meant(self) -> Meant:
        """What is meant by it."""
        if self.filter is not None:
            return self.filter.to_meant()
        return Meant(tuple(Ref.parse(name) for name in self.letters or ()))


class RedriveRequest(_Choice):
    """Letters to append again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"letters": [_NAME], "dry_run": True}, {"filter": {"error_class": "policy"}}]}
    )

    value: str | None = Field(
        default=None, max_length=2**20, description="What the one letter that is named says instead."
    )
    max_redrives: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole_number)] = Field(
        default=3, description="What was tried so often stays."
    )

    @model_validator(mode="after")
    def _edits_one(self) -> Self:
        if self.value is not None and len(self.letters or ()) != 1:
            raise ValueError("a value is for one letter, by its name")
        return self


class DropRequest(_Choice):
    """Letters to drop for good."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"letters": [_NAME], "reason": "a test of ours"}]})

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)] = Field(
        description="Why; it stays in the topic."
    )


class SourcePlace(BaseModel):
    """Where the record stood."""

    topic: str | None
    partition: int | None
    offset: int | None


class LetterReply(BaseModel):
    """A dead letter in a list. What no header says is null or empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LETTER]})

    letter: str
    key: str | None
    error_class: str
    stage: str
    exception: str
    message: str
    source: SourcePlace
    redrives: int
    failed_at: datetime = Field(description="When it first failed.")
    left_out: str = Field(description="What was too large to be kept: value, headers, key.")

    @classmethod
    def of(cls, letter: Letter) -> "LetterReply":
        return cls(**_named(summary(letter)))


class HeaderReply(BaseModel):
    """A header; bytes that are no text begin with `base64:`."""

    name: str
    value: str | None


class WholeLetterReply(LetterReply):
    """All of a dead letter."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WHOLE]})

    stack: str
    timestamp: int
    headers: list[HeaderReply]
    value: str | None = Field(description="As it came; null is a deletion. Bytes that are no text begin with base64:.")

    @classmethod
    def of(cls, letter: Letter) -> "WholeLetterReply":
        return cls(**_named(whole(letter)))


class LettersReply(BaseModel):
    """A page of dead letters, the first to fail first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"letters": [_LETTER], "total": 1, "next_cursor": None}]})

    letters: list[LetterReply]
    total: int = Field(description="How many there are on all pages.")
    next_cursor: str | None = Field(description="Ask with it for the next page; null at the end.")


class Redriven(BaseModel):
    """A letter that was appended again; null where a redrive that was cut off had done that before."""

    letter: str
    to: str | None
    note: str
    drops: list[str] = Field(description="The letters that went with it.")


class Left(BaseModel):
    """A letter that stays where it is."""

    letter: str
    why: str


class RedriveReply(BaseModel):
    """What became of each letter; with `dry_run`, what would."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "done": True,
                    "redriven": [{"letter": _NAME, "to": "memories", "note": "hm-if-seq 17", "drops": [_NAME]}],
                    "left": [],
                }
            ]
        }
    )

    done: bool
    redriven: list[Redriven]
    left: list[Left]

    @classmethod
    def of(cls, plan: Plan, gone: Sequence[Ref], done: bool) -> "RedriveReply":
        steps = [
            Redriven(
                letter=str(step.letter.ref),
                to=step.record.topic if step.record else None,
                note=step.note,
                drops=[str(letter.ref) for letter in step.drops],
            )
            for step in plan.steps
        ]
        left = [Left(letter=str(one.ref), why=why) for one, why in plan.left]
        return cls(done=done, redriven=steps, left=[*left, *_gone(gone)])


class DropReply(BaseModel):
    """The letters that were dropped; with `dry_run`, those that would be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"done": True, "dropped": [_NAME], "left": []}]})

    done: bool
    dropped: list[str]
    left: list[Left]

    @classmethod
    def of(cls, letters: Sequence[Letter], gone: Sequence[Ref], done: bool) -> "DropReply":
        return cls(done=done, dropped=[str(letter.ref) for letter in letters], left=_gone(gone))


def _gone(names: Sequence[Ref]) -> list[Left]:
    return [Left(letter=str(name), why=GONE) for name in names]


def _named(told: dict[str, Any]) -> dict[str, Any]:
    """The fields of `hm dlq --json` under the names of the API."""
    return {{"ref": "letter", "class": "error_class"}.get(name, name): value for name, value in told.items()}
