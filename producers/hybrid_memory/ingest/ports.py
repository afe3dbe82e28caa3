"""What the router needs from its app."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hybrid_memory.runtime.publisher import Outcome
from hybrid_memory.schemas import NewRecord, Position

__all__ = ["Describe", "Look", "Outcome", "Shown", "Waiter", "Writer"]

ClassifierSource = Literal["provided", "heuristic", "llm"]


class Writer(Protocol):
    """Appends records to the log."""

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Append in this order; for each record, where it is durable, or why it is not. Answers within seconds.

        After an `Unavailable` it does not go on trying in secret.
        """


class Waiter(Protocol):
    """Knows how far the index has followed the log."""

    async def wait(self, positions: Sequence[Position], timeout_s: float) -> bool:
        """Whether all of these have been applied; waits for it, at most `timeout_s` seconds (0: only looks)."""


class Describe(Protocol):
    """Says at once what a text is about, by its key words: for a reply that does not wait for the index."""

    def __call__(self, text: str) -> tuple[Sequence[str], str | None]:
        """The text's classifiers, and its topic where it has one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a memory is about, as the index shows it, and who says so."""

    classifiers: Sequence[str]
    topic: str | None
    source: ClassifierSource


class Look(Protocol):
    """Looks a memory up in the index."""

    async def __call__(self, user_id: str, memory_id: str) -> Shown | None:
        """What it shows now; None where it shows no such memory, or cannot be asked."""
