"""What the router needs from its app."""

from collections.abc import Sequence
from typing import Protocol

from hybrid_memory.runtime.publisher import Outcome
from hybrid_memory.schemas import NewRecord, Position

__all__ = ["Describe", "Outcome", "Waiter", "Writer"]


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
    """Says what a text is about, by rules."""

    def __call__(self, text: str) -> tuple[Sequence[str], str | None]:
        """The text's classifiers, and its topic where it has one."""
