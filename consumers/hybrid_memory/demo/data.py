"""What the demo publishes and asks: one person's life in 17 memories, a correction, a deletion, and six searches."""

from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hybrid_memory.schemas import Memory

USER = "maya"
STRANGER = "noah"
"""A user without memories, who must find none of Maya's."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_id: str


class Add(_Line):
    """Say a memory; said again under the same id with another text, it is a correction."""

    action: Literal["add"]
    text: str
    type: str = "stable"
    metadata: dict[str, str] = Field(default_factory=dict)

    def memory(self, user_id: str = USER) -> Memory:
        """The memory that this line says, as of now."""
        return Memory.new(user_id=user_id, **self.model_dump(exclude={"action"}))


class Delete(_Line):
    """Take a memory back."""

    action: Literal["delete"]


Step = Add | Delete
_STEP: TypeAdapter[Step] = TypeAdapter(Annotated[Step, Field(discriminator="action")])


class Search(BaseModel):
    """One question of the demo, and what a correct system answers."""

    model_config = ConfigDict(frozen=True)

    title: str
    look_for: str = Field(description="What the reader of the demo should notice in the result.")
    context: str
    first: str | None = Field(description="The memory that must come first; None where there is no such promise.")
    user_id: str = USER
    domain: str | None = None
    absent: tuple[str, ...] = Field(default=(), description="Texts of which no result may hold any.")
    empty: bool = Field(default=False, description="Whether nothing at all may be found.")


SEARCHES: tuple[Search, ...] = (
    Search(
        title="Paraphrase",
        look_for="no word in common with the memory",
        context="Which snacks could put me in hospital?",
        first="peanuts",
    ),
    Search(
        title="Classifiers",
        look_for="the question and the memory share the classifier 'movie preference'",
        context="Suggest a film for tonight",
        first="ghibli",
    ),
    Search(
        title="Domain 'places'",
        look_for="food and drink alone: the jazz club is left out",
        context="Where shall we have dinner on Thursday night?",
        domain="places",
        first="noodle-bar",
        absent=("jazz club",),
    ),
    Search(
        title="Correction",
        look_for="Copenhagen; Porto, which the same memory said before, is gone",
        context="Which city do I live in?",
        first="city",
        absent=("Porto",),
    ),
    Search(
        title="Deletion",
        look_for="the code was deleted: it is nowhere in the result",
        context="What is the door code of my building?",
        first=None,
        absent=("4719",),
    ),
    Search(
        title="Another user",
        look_for="nothing: Noah never sees what Maya said",
        context="What am I allergic to?",
        user_id=STRANGER,
        first=None,
        empty=True,
    ),
)


def load_life() -> list[Step]:
    """The lines to publish, in order.

    Raises:
        pydantic.ValidationError: a line of the shipped file is not a step.
    """
    return list(_steps(resources.files("hybrid_memory.demo").joinpath("life.jsonl").read_text(encoding="utf-8")))


def _steps(lines: str) -> Iterator[Step]:
    for line in lines.splitlines():
        yield _STEP.validate_json(line)
