"""The waiting line: requests take turns, a text each, so that nobody waits behind a long one. Pure, for one thread."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from hybrid_memory.classifier.port import Answer
from hybrid_memory.runtime.deadletters import Failure

Result = Answer | Failure


@dataclass(eq=False, slots=True)
class Job:
    """The texts of one request; `future` gets their results, in their order, when all are there."""

    texts: Sequence[str]
    future: "Future[list[Result]]" = field(default_factory=Future)
    results: dict[int, Result] = field(default_factory=dict)
    taken: int = 0

    @property
    def waiting(self) -> int:
        """Texts that nobody has taken yet."""
        return len(self.texts) - self.taken

    def put(self, number: int, result: Result) -> None:
        """The result of one text; the last one settles the future, unless the caller has gone."""
        self.results[number] = result
        if len(self.results) == len(self.texts) and _is_awaited(self.future):
            self.future.set_result([self.results[at] for at in range(len(self.texts))])

    def fail(self, error: BaseException) -> None:
        """There will be no results; does nothing where that is known already."""
        if not self.future.done() and _is_awaited(self.future):
            self.future.set_exception(error)


class Piece(NamedTuple):
    """One text of a job."""

    job: Job
    number: int

    @property
    def text(self) -> str:
        return self.job.texts[self.number]


class Line:
    """Jobs with texts that wait."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._waiting = 0

    def __len__(self) -> int:
        """How many texts wait."""
        return self._waiting

    def add(self, job: Job) -> None:
        """A job of at least one text; its turn comes after one of each that waits already."""
        self._jobs.append(job)
        self._waiting += job.waiting

    def take(self, most: int) -> list[Piece]:
        """The next texts, a text of each job in turn; the turn goes on from where the last one ended."""
        pieces: list[Piece] = []
        while self._jobs and len(pieces) < most:
            job = self._jobs.popleft()
            pieces.append(Piece(job, job.taken))
            job.taken += 1
            if job.waiting:
                self._jobs.append(job)
        self._waiting -= len(pieces)
        return pieces

    def drop(self, job: Job) -> None:
        """Forget the texts of a job that nobody has taken; of one that does not wait there are none."""
        if job in self._jobs:
            self._jobs.remove(job)
            self._waiting -= job.waiting

    def clear(self) -> list[Job]:
        """Empty the line, and say who stood in it."""
        jobs = list(self._jobs)
        self._jobs.clear()
        self._waiting = 0
        return jobs


def _is_awaited(future: "Future[list[Result]]") -> bool:
    """Whether the caller still waits; from here on it cannot cancel."""
    return not future.done() and future.set_running_or_notify_cancel()
