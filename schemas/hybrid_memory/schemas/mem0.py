"""What is said in the topic `mem0.hints`: that a memory in Mem0 may have changed, and how far a reader of Mem0 is.

A hint orders nothing. Whoever takes it asks Mem0 how the memory is now; what a bulk read carries spares that question.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from hybrid_memory.schemas.codec import event_headers, to_json, validated
from hybrid_memory.schemas.errors import DecodeError
from hybrid_memory.schemas.events import Classifiers, Moment, Offset
from hybrid_memory.schemas.records import NewRecord, Record

MEM0_HINTS = "mem0.hints"
SOURCE = "urn:hybrid-memory:mem0"
_BOOKMARK = "bookmark/"

Mem0Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
"""Of a memory in Mem0: a UUID in fact. It becomes part of a URL, so nothing else may hide in it."""
Door = Literal["webhook", "feed", "sync", "tap", "tail", "publisher"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Mem0Scope(_Value):
    """Whose a memory is, in Mem0's words. What is absent is not known, or is nobody."""

    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None


class Mem0Read(_Value):
    """A memory as a bulk read found it, and since when that is so."""

    memory: dict[str, JsonValue] = Field(description="The object as Mem0 gave it.")
    hints_end: Offset = Field(
        description="Where the hint's own partition ended before the read: all earlier hints are covered by it."
    )
    classifiers: Classifiers | None = Field(
        default=None, description="What a classifier made of this text beforehand; used where the memory has none."
    )


class Mem0Hint(_Value):
    """A memory in Mem0 was added, changed or deleted, or may have been: the value of a record of `mem0.hints`."""

    mem0_id: Mem0Id = Field(description="Mem0's id of the memory.")
    project: Name | None = Field(default=None, description="Mem0's id of the project, where it is known.")
    door: Door = Field(description="Who noticed.")
    at: Moment = Field(description="When it was noticed. It orders nothing.")
    scope: Mem0Scope | None = Field(default=None, description="Whose it is, where that is known.")
    read: Mem0Read | None = Field(default=None, description="What a bulk read found; absent: ask Mem0.")

    @property
    def key(self) -> str:
        """Mem0's id: the last hint of a memory is enough."""
        return self.mem0_id


class Mem0Bookmark(_Value):
    """How far somebody who reads Mem0 has come; all hints before it are durable. It stands in `mem0.hints` too."""

    project: Name = Field(description="Mem0's id of the project.")
    reader: Name = Field(description="Who reads: feed, sync, or another name of its own.")
    at: Moment = Field(description="When this was so.")
    place: dict[str, JsonValue] = Field(description="The reader's own words for where it is.")

    @property
    def key(self) -> str:
        """`bookmark/project/reader`, which no memory's id can be."""
        return f"{_BOOKMARK}{self.project}/{self.reader}"


Mem0Event = Mem0Hint | Mem0Bookmark
MESSAGES: dict[type[BaseModel], str] = {Mem0Hint: "mem0.hinted.v1", Mem0Bookmark: "mem0.bookmarked.v1"}
"""Each message's name with its version."""


def encode_mem0(event: Mem0Event) -> NewRecord:
    """The record of `mem0.hints` that says `event`."""
    subject = event.mem0_id if isinstance(event, Mem0Hint) else event.reader
    headers = event_headers(f"io.hybrid-memory.{MESSAGES[type(event)]}", subject, SOURCE)
    return NewRecord(MEM0_HINTS, event.key.encode(), to_json(event), headers)


def decode_mem0(record: Record) -> Mem0Event | None:
    """What a record of `mem0.hints` says; None where it takes back what its key said.

    Raises:
        DecodeError: it can never be read; the message says what is wrong with which field.
    """
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        raise DecodeError("poison", "the record's key is no text") from None
    if not key:
        raise DecodeError("poison", "the record has no key")
    if record.value is None:
        return None
    of_reader = key.startswith(_BOOKMARK)
    event = validated(Mem0Bookmark, record.value) if of_reader else validated(Mem0Hint, record.value)
    if event.key != key:
        raise DecodeError("schema", f"the key says {key}, the value {event.key}")
    return event
