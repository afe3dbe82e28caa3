"""The way of a batch: classify, deliver, acknowledge. While one is delivered the next is classified and a third is
collected, but they are delivered and acknowledged one after another, in the order in which they were read."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from hybrid_memory.classifier.stream.ending import die
from hybrid_memory.classifier.stream.progress import Progress
from hybrid_memory.classifier.stream.read import to_record
from hybrid_memory.classifier.stream.ready import next_wait
from hybrid_memory.classifier.stream.report import Report
from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.classifier.stream.work import Delivery, Done, Work
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.publisher import Publisher

_T = TypeVar("_T")
Acknowledge = Callable[[Any], Awaitable[Any]]

_AT_ONCE = 3
_FIRST_WAIT = 0.2


class _Abandoned(Exception):  # noqa: N818
    """The batch was not begun, or cannot go on, and the stream is closing: it is left to the next one who reads it."""


class Pipeline:
    """Takes batches of events in the thread of its event loop, and works on them in others.

    An error that is neither Unavailable nor Refusal ends the process: it must not leave the agent's body, since Faust
    would take the batch for done.
    """

    def __init__(
        self, work: Work, publisher: Publisher, brake: Brake, progress: Progress, status: Status, report: Report
    ) -> None:
        self._work, self._publisher, self._brake = work, publisher, brake
        self._progress, self._status, self._report = progress, status, report
        self._threads = ThreadPoolExecutor(_AT_ONCE, "batch")
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._closing = asyncio.Event()
        self._last: asyncio.Task[bool] | None = None
        self._count = 0
        self.refusal: Refusal | None = None
        """Why nothing more can be done until somebody mends it."""

    async def take(self, events: Sequence[Any], acknowledge: Acknowledge) -> None:
        """Begin a batch as soon as there is room for it. After `close`, forget it."""
        taken = time.monotonic()
        await self._room.acquire()
        if self._closing.is_set():
            self._room.release()
            return
        self._count += 1
        run = self._run(self._count, taken, events, acknowledge, self._last)
        self._last = asyncio.create_task(run)

    async def close(self) -> None:
        """Finish what was begun and can be finished, and begin nothing more."""
        self._closing.set()
        if self._last is not None:
            await self._last
        self._threads.shutdown(wait=False)

    async def _run(
        self,
        number: int,
        taken: float,
        events: Sequence[Any],
        acknowledge: Acknowledge,
        before: "asyncio.Task[bool] | None",
    ) -> bool:
        """Whether the batch was delivered and acknowledged."""
        try:
            began = self._report.began(taken)
            records = [to_record(event.message) for event in events]
            done = await self._insist(number, lambda: self._work.classify(records), begun=False)
            if before is not None and not await before:
                return False
            await self._deliver(number, done)
            for event in events:
                await acknowledge(event)
                self._progress.positions[event.message.partition] = event.message.offset + 1
            self._report.ended(records, done, began)
            return True
        except _Abandoned:
            return False
        except Refusal as refusal:
            self.refusal = self.refusal or refusal
            self._closing.set()
            return False
        except BaseException as error:
            die("a batch failed in a way that nobody foresaw", error)
        finally:
            self._progress.ended(number)
            self._status.trouble(number, None)
            self._room.release()

    async def _deliver(self, number: int, done: Done) -> None:
        """Send everything, unless the brake pulls: then nothing."""
        for outcome in done.outcomes:
            self._brake.count(outcome.failure is not None)
            if outcome.failure is not None and self._brake.reason is not None:
                raise Refusal(
                    f"the stream is braked: {self._brake.reason}; the last because: {outcome.failure.message}; "
                    "nothing of its batch was sent: mend the classifier, and start the stream again"
                )
        delivery = Delivery(self._publisher, done.to_send)
        await self._insist(number, delivery.attempt, begun=True)

    async def _insist(self, number: int, step: Callable[[], _T], *, begun: bool) -> _T:
        """Do a step until it works; what is away for a while is waited for, longer each time."""
        wait = _FIRST_WAIT
        while True:
            if self._closing.is_set() and not begun:
                raise _Abandoned
            begun = False
            self._progress.alive(number)
            try:
                result = await asyncio.get_running_loop().run_in_executor(self._threads, step)
            except Unavailable as error:
                self._status.trouble(number, str(error))
                await self._pause(wait)
                wait = next_wait(wait)
            else:
                self._status.trouble(number, None)
                return result

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until the stream closes."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
