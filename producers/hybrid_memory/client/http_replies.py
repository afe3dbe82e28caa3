"""What the HTTP clients hand back, read from replies; fields that a newer service adds are ignored. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hybrid_memory.client.errors import FieldError

ClassifierSource = Literal["provided", "heuristic", "llm"]


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Insert(_Reply):
    """A memory that is durable. `position` is where: a search can wait for it."""

    memory_id: str
    position: str
    topic: str | None
    classifiers: tuple[str, ...]
    classifier_source: ClassifierSource
    async_improvement: bool
    searchable: bool


class ImportResult(_Reply):
    """What became of one of many: durable at `position`, or why not."""

    status: Literal["success", "error"]
    memory_id: str | None
    position: str | None
    searchable: bool
    errors: tuple[FieldError, ...] = ()


class MemoryView(_Reply):
    """A memory as the index shows it."""

    user_id: str
    memory_id: str
    text: str
    topic: str | None
    type: str
    classifiers: tuple[str, ...]
    pinned: bool
    classifier_source: ClassifierSource
    state: Literal["provisional", "final"]
    metadata: dict[str, Any]
    created_at: datetime
    expires_at: datetime | None
    source: str
    seq: int
    generation: int

    @property
    def etag(self) -> str:
        """Its version, for `update(if_match=…)`."""
        return f'"{self.seq}.{self.generation}"'


class PendingEdit(_Reply):
    """An edit that is durable, while the index does not show yet whether it won."""

    memory_id: str
    position: str


class ScorePart(_Reply):
    """A part of a score and its weight."""

    value: float
    weight: float


class SearchHit(_Reply):
    """A memory that was found."""

    memory_id: str
    text: str
    topic: str | None
    type: str
    classifiers: tuple[str, ...]
    score: float
    classifier_source: ClassifierSource
    state: Literal["provisional", "final"]
    metadata: dict[str, Any]
    created_at: datetime
    explanation: dict[str, ScorePart] | None = None


class SearchResult(_Reply):
    """The best memories, best first; `fresh`: whether it saw every position that was asked for."""

    memories: tuple[SearchHit, ...]
    fresh: bool
    searched: tuple[str, ...]


class Deletion(_Reply):
    """A deletion that is durable."""

    memory_id: str
    position: str
    applied: bool


class DeletedAll(_Reply):
    """The deletion of all that a user had: it is durable."""

    deleted: int
    positions: tuple[str, ...]
    applied: bool


class AnyPage(_Reply):
    """A page of a list; without a cursor it is the last."""

    next_cursor: str | None


class Page(AnyPage):
    """A page of memories."""

    memories: tuple[MemoryView, ...]


class LetterSource(_Reply):
    """Where a dead record stood."""

    topic: str | None
    partition: int | None
    offset: int | None


class DeadLetter(_Reply):
    """A dead letter, `letter` is its name. What no header says is None or empty."""

    letter: str
    key: str | None
    error_class: str
    stage: str
    exception: str
    message: str
    source: LetterSource
    redrives: int
    failed_at: datetime
    left_out: str


class LetterHeader(_Reply):
    """A header of a dead letter; bytes that are no text begin with `base64:`."""

    name: str
    value: str | None


class WholeDeadLetter(DeadLetter):
    """All of a dead letter; bytes that are no text begin with `base64:`."""

    stack: str
    timestamp: int
    headers: tuple[LetterHeader, ...]
    value: str | None


class DeadLetterPage(AnyPage):
    """A page of dead letters."""

    letters: tuple[DeadLetter, ...]


class Redriven(_Reply):
    """A letter that was appended again, `to` a topic; None where that had been done before."""

    letter: str
    to: str | None
    note: str
    drops: tuple[str, ...]


class LeftLetter(_Reply):
    """A letter that stays, and why."""

    letter: str
    why: str


class RedriveResult(_Reply):
    """What became of each letter; where not `done`, what would."""

    done: bool
    redriven: tuple[Redriven, ...]
    left: tuple[LeftLetter, ...]


class DropResult(_Reply):
    """The letters that were dropped; where not `done`, that would be."""

    done: bool
    dropped: tuple[str, ...]
    left: tuple[LeftLetter, ...]


def import_results(body: Mapping[str, Any]) -> list[ImportResult]:
    """The answers of an import, in the order of its memories."""
    named = [
        {**one, "errors": [FieldError(fault["field"], fault["message"]) for fault in one["errors"]]}
        for one in body["results"]
    ]
    return [ImportResult.model_validate(one) for one in named]
