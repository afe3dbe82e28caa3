"""JSON lines as events: one memory, or one deletion, a line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic import ValidationError
from pydantic_core import from_json

from hybrid_memory.client.drafts import as_memory, field_errors
from hybrid_memory.client.errors import FieldError, InvalidMemory
from hybrid_memory.schemas import MemoryDeleted, MemoryEvent

MAX_LINE = 1024 * 1024
"""Bytes; the largest memory, with every character escaped, takes less than half."""

_DELETION = {"user_id", "memory_id"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number from 1, the bytes read up to its end, and what it holds.

    `data` is None where the line is longer than `MAX_LINE`.
    """

    number: int
    end: int
    data: bytes | None


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines of a stream that are not blank, one in memory at a time, however long they are."""
    number = end = 0
    while chunk := stream.readline(MAX_LINE + 1):
        number, end = number + 1, end + len(chunk)
        data: bytes | None = chunk.removeprefix(b"\xef\xbb\xbf") if number == 1 else chunk
        if len(chunk) > MAX_LINE:
            data = None
            while not chunk.endswith(b"\n") and (chunk := stream.readline(MAX_LINE)):
                end += len(chunk)
        if data is None or data.strip():
            yield Line(number, end, data)


def parse(line: Line, user_id: str | None = None) -> MemoryEvent:
    """What a line says; `user_id` is whose memory it is where the line does not say.

    Raises:
        InvalidMemory: it cannot be read, or says nothing valid.
    """
    fields = _object(line)
    if user_id is not None and fields.get("user_id") is None:
        fields["user_id"] = user_id
    deleted = fields.pop("deleted", False)
    if not isinstance(deleted, bool):
        raise InvalidMemory([FieldError("deleted", "Input should be true or false")])
    return _deletion(fields) if deleted else as_memory(fields)


def _object(line: Line) -> dict[str, Any]:
    if line.data is None:
        raise _unreadable(f"longer than {MAX_LINE} bytes")
    try:
        fields = from_json(line.data)
    except ValueError as error:
        raise _unreadable(f"not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise _unreadable("not a JSON object")
    return fields


def _deletion(fields: dict[str, Any]) -> MemoryDeleted:
    others = [FieldError(name, "a deletion has no such field") for name in fields.keys() - _DELETION]
    if others:
        raise InvalidMemory(others)
    try:
        return MemoryDeleted.model_validate(fields)
    except ValidationError as error:
        raise InvalidMemory(field_errors(error)) from None


def _unreadable(reason: str) -> InvalidMemory:
    return InvalidMemory([FieldError("", reason)])
