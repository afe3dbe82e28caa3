"""The file that is evaluated: users, their memories, and questions with the memories that answer them."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas.events import MemoryId, Text, UserId


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Remembered(_Frozen):
    """A memory."""

    id: MemoryId
    text: Text


class Question(_Frozen):
    """A question, and the ids of all memories that answer it."""

    text: Text
    relevant: Annotated[frozenset[str], Field(min_length=1)]


class Person(_Frozen):
    """A user with memories and questions."""

    user_id: UserId
    memories: tuple[Remembered, ...]
    queries: tuple[Question, ...]

    @model_validator(mode="after")
    def _all_answers_exist(self) -> Self:
        ids = [memory.id for memory in self.memories]
        if len(set(ids)) != len(ids):
            raise ValueError(f"two memories of user {self.user_id!r} have the same id")
        for number, question in enumerate(self.queries):
            if unknown := sorted(question.relevant - set(ids)):
                raise ValueError(
                    f"question {number} of user {self.user_id!r} names {unknown[0]!r}, which is none of their memories"
                )
        return self


_FILE = TypeAdapter(Annotated[tuple[Person, ...], Field(min_length=1)])


def read_questions(path: Path) -> tuple[Person, ...]:
    """The users of a JSON file: `[{"user_id", "memories": [{"id", "text"}], "queries": [{"text", "relevant"}]}]`.

    Raises:
        Refusal: it cannot be read, is not of this form, or asks nothing; the sentence says what is wrong where.
    """
    try:
        people = _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise Refusal(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise Refusal(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
    names = [person.user_id for person in people]
    if len(set(names)) != len(names):
        raise Refusal(f"{path}: a user stands in it twice")
    if not any(person.queries for person in people):
        raise Refusal(f"{path}: it asks no question")
    return people
