"""What a worker heeds while it works: being told to stop, its share, the operator; and what it says of itself."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from typing import Protocol, TypeVar

from hybrid_memory.classifier.stream.ready import next_wait
from hybrid_memory.replay.board import Board
from hybrid_memory.replay.job import Job
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.membership import Membership
from hybrid_memory.schemas.replays import State

FIRST_WAIT = 0.2

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)


class Left(Exception):  # noqa: N818
    """The partition is not to be worked on now; what was not delivered is left to whoever comes next."""


class Display(Protocol):
    """Shows people how far a job is."""

    def show(self, job: Job, doing: str) -> None:
        """Called several times a second."""


class Duty:
    """Of one thread. `partition` is the one that is worked on, None between two."""

    def __init__(self, board: Board, share: Membership, display: Display, stop: threading.Event) -> None:
        self._board, self._share, self._display, self._stop = board, share, display, stop
        self._state: tuple[State, str | None] = ("left", None)
        self.partition: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether the process is to end."""
        return self._stop.is_set()

    def become(self, state: State, reason: str | None = None) -> None:
        """Do this from now on, and say so."""
        if reason is not None and self._state != (state, reason):
            _LOG.warning("the replay is %s: %s", state, reason)
        self._state = (state, reason)
        self.beat()

    def beat(self) -> Job:
        """Say that we are there; the job as it is now, or was when Kafka last answered."""
        if self.partition is not None:
            self._board.say(self.partition, *self._state)
        job = self._board.look()
        self._display.show(job, self._state[0])
        return job

    def wanted(self) -> bool:
        """Whether to go on with the partition. All that was sent for it must be durable, and noted.

        Raises:
            Left: somebody else has it now.
        """
        job = self.beat()
        if self.partition not in self._share.check():
            raise Left
        return not self.stopped and job.wanted == "running"

    def go_on(self) -> None:
        """As `wanted`, but raises Left whatever the reason."""
        if not self.wanted():
            raise Left

    def insist(self, step: Callable[[], _T], leave: bool = False) -> _T:
        """Do a step until it works; longer waits each time for what is away. With `leave` it is given up where the
        partition is no longer to be worked on, otherwise only where the process is to end.

        Raises:
            Left: it was given up.
            Refusal: it cannot be done.
        """
        wait = FIRST_WAIT
        while True:
            try:
                result = step()
            except NotYet:
                self.beat()
            except Unavailable as error:
                self.become("retrying", str(error))
                self.pause(wait)
                wait = next_wait(wait)
                if self.stopped or (leave and not self.wanted()):
                    raise Left from None
            else:
                if self._state[0] == "retrying":
                    self.become("running")
                return result

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the process is to end."""
        self._stop.wait(seconds)
