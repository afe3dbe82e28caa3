"""Publishing JSON lines: what `hm publish` does, apart from its terminal."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hybrid_memory.client.delivery import Outcome, Sender, deliver
from hybrid_memory.client.errors import InvalidMemory, NotDelivered
from hybrid_memory.client.events import to_record
from hybrid_memory.client.lines import Line, parse
from hybrid_memory.client.progress import Progress
from hybrid_memory.schemas import MemoryDeleted, MemoryEvent, NewRecord

_REFUSALS = 10
"""So many refusals in a row are not about the lines."""


@dataclass(slots=True)
class Publishing:
    """One run over many lines. In memory: the lines that wait for Kafka, a bounded number.

    `progress` is told of each line that failed and why, and how far the run has come.
    """

    sender: Sender
    progress: Progress
    user_id: str | None = None
    published: int = 0
    deleted: int = 0
    failed: int = 0
    resume_from_line: int | None = None
    """The first line that Kafka did not take, where it took none after it."""
    _refused: int = 0
    _stopped: bool = False
    _began: float = field(default_factory=time.monotonic)

    def run(self, lines: Iterable[Line]) -> None:
        """Publish each line, in order. A bad line is told, and the rest goes on.

        When Kafka is away for longer than the publisher's timeout, or takes nothing any more, no further line is read.
        """
        for (line, event), landed in deliver(self.sender, self._records(lines)):
            self._settle(line, event, landed)
            self.progress.advance(line.end, self.published + self.deleted)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    @property
    def per_second(self) -> float:
        """Durable records a second."""
        return (self.published + self.deleted) / max(self.seconds, 1e-9)

    def summary(self) -> dict[str, Any]:
        """What came of it, for programs."""
        return {
            "published": self.published,
            "deleted": self.deleted,
            "failed": self.failed,
            "resume_from_line": self.resume_from_line,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.per_second, 1),
        }

    def _records(self, lines: Iterable[Line]) -> Iterator[tuple[tuple[Line, MemoryEvent], MemoryEvent, NewRecord]]:
        for line in lines:
            try:
                event = parse(line, self.user_id)
            except InvalidMemory as error:
                self._fail(line, str(error))
            else:
                yield (line, event), event, to_record(event)
            if self._stopped:
                return

    def _settle(self, line: Line, event: MemoryEvent, landed: Outcome) -> None:
        if isinstance(landed, NotDelivered):
            self._fail(line, landed.reason)
            self._refused += 1
            self.resume_from_line = self.resume_from_line or line.number
            self._stopped = self._stopped or landed.retriable or self._refused >= _REFUSALS
            return
        self._refused = 0
        self.resume_from_line = None if not self._stopped else self.resume_from_line
        if isinstance(event, MemoryDeleted):
            self.deleted += 1
        else:
            self.published += 1

    def _fail(self, line: Line, reason: str) -> None:
        self.failed += 1
        self.progress.note(f"line {line.number}: {reason}")
