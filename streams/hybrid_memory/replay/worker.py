"""A worker: takes its share of a job's partitions, one after another, until all of the job is done."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.stream.own_thread import InOwnThread
from hybrid_memory.classifier.stream.ready import next_wait
from hybrid_memory.classifier.stream.work import Delivery
from hybrid_memory.replay.batch import Batch, Found, batches, classify
from hybrid_memory.replay.board import Board
from hybrid_memory.replay.choosing import Chooser
from hybrid_memory.replay.flying import Flying
from hybrid_memory.replay.job import Job, now
from hybrid_memory.replay.pace import Live, Pace, share_of
from hybrid_memory.replay.reading import Reader
from hybrid_memory.replay.scan import Scan, Topics
from hybrid_memory.replay.share import Share
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayProgress, State

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_AHEAD = 3
"""Batches in flight: one is delivered, one classified, one waits, so that the classifier never does."""
_FIRST_WAIT = 0.2
_TICK_SECONDS = 0.2


class _Left(Exception):  # noqa: N818
    """The partition is not to be worked on now; what was not delivered is left to whoever comes next."""


class Display(Protocol):
    """Shows people how far a job is."""

    def show(self, job: Job, doing: str) -> None:
        """Called several times a second."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker works with."""

    settings: Settings
    topics: Topics
    classifier: Classifier
    rules: Classifier
    publisher: Publisher
    board: Board
    live: Live
    display: Display
    stop: threading.Event


class Worker:
    """Works on one job, in one thread; the classifier and the encoding have others."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._board = parts, parts.board
        self._definition = self._board.job.definition
        self._share = Share(parts.settings, self._definition.job, parts.topics.memories)
        self._reader = Reader(parts.settings)
        self._classifier = InOwnThread(parts.classifier)
        self._threads = ThreadPoolExecutor(_AHEAD, "replay-batch")
        self._pace = Pace()
        stream = parts.settings.stream
        self._brake = Brake(stream.brake_window, stream.brake_share, stream.brake_in_a_row)
        self._chooser = Chooser(self._definition, parts.topics.memories, parts.rules)
        self._at: int | None = None
        self._state: tuple[State, str | None] = ("running", None)

    def run(self) -> None:
        """Until the job is done or cancelled, or until told to stop.

        Raises:
            Refusal: it cannot go on until somebody mends what the sentence says; all that was sent is noted.
        """
        wait = _FIRST_WAIT
        try:
            while not (self._parts.stop.is_set() or self._over()):
                try:
                    self._turn()
                    wait = _FIRST_WAIT
                except Unavailable as error:
                    self._become("retrying", str(error))
                    self._pause(wait)
                    wait = next_wait(wait)
        finally:
            self._share.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._reader.close()

    def _over(self) -> bool:
        self._beat()
        return self._board.job.finished or self._board.job.wanted == "cancelled"

    def _turn(self) -> None:
        """Work on one of our partitions, or wait a moment."""
        mine = self._share.check() & self._board.job.left
        wanted = self._board.job.wanted
        if mine and wanted == "running":
            with self._at_work(min(mine)):
                self._partition(min(mine))
            return
        for number in mine:
            self._board.say(number, "paused")
        self._state = ("paused" if wanted == "paused" else "left", None)
        self._pause(_TICK_SECONDS)

    @contextmanager
    def _at_work(self, partition: int) -> Iterator[None]:
        self._at = partition
        try:
            yield
        except _Left:
            pass
        except Refusal as refusal:
            self._board.say(partition, "braked", str(refusal))
            raise
        finally:
            self._at = None
        self._board.say(partition, "left")

    def _partition(self, partition: int) -> None:
        job = self._board.catch_up()  # who had it before us may just have said how far it is
        if job.is_done(partition):
            return
        span, begin = job.ranges[partition], job.position(partition)
        progress = job.progress.get(partition) or ReplayProgress(job=job.id, partition=partition, next=begin, at=now())
        scan = Scan(job.id, self._reader, self._parts.topics, partition)
        try:
            self._become("scanning")
            scan.look(self._definition.filters, begin, span.end, progress.results, self._go_on)
            self._become("running")
            reads = self._reader.read(self._parts.topics.memories.name, partition, begin, span.end)
            progress = self._work(batches(reads, self._size(), self._chooser, scan, begin), progress)
            self._note(progress.model_copy(update={"next": span.end, "done": True, "at": now()}))
        finally:
            scan.close()

    def _work(self, some: Iterator[Batch], progress: ReplayProgress) -> ReplayProgress:
        """Classify and deliver batch after batch, in their order; how far it has come at the end."""
        flying = Flying(self._submit)
        for batch in some:
            delay = self._pace.take(len(batch.items), self._rate())
            if delay > 0 or self._live_is_behind():
                progress = self._deliver_all(flying, progress)
                self._wait(delay)
            flying.begin(batch)
            if len(flying) == _AHEAD:
                progress = self._deliver(flying, progress)
            if not self._wanted():
                self._deliver_all(flying, progress)
                raise _Left
        return self._deliver_all(flying, progress)

    def _deliver_all(self, flying: Flying, progress: ReplayProgress) -> ReplayProgress:
        while flying:
            progress = self._deliver(flying, progress)
        return progress

    def _deliver(self, flying: Flying, progress: ReplayProgress) -> ReplayProgress:
        """Deliver the oldest batch, and note that it is. Results come first: should we die here, a fact that is
        replaced may be gone when the batch is done again, and what it said is known from them."""
        began, batch = flying.since, flying.first
        found = self._insist(flying.result, leave=True)
        self._check_brake(found)
        ends = self._insist(lambda: self._parts.publisher.send_all(found.results))
        self._insist(Delivery(self._parts.publisher, found.facts).attempt)
        flying.ended()
        progress = progress.model_copy(
            update={
                "next": batch.next,
                "results": max([progress.results, *(at.offset + 1 for at in ends)]),
                "classified": progress.classified + len(found.outcomes),
                "failed": progress.failed + sum(outcome.failure is not None for outcome in found.outcomes),
                "skipped": dict(Counter(progress.skipped) + batch.skipped),
                "seconds": progress.seconds + time.monotonic() - began,
                "at": now(),
            }
        )
        self._note(progress)
        return progress

    def _note(self, progress: ReplayProgress) -> None:
        self._insist(lambda: self._board.progress(progress))

    def _check_brake(self, found: Found) -> None:
        for outcome in found.outcomes:
            self._brake.count(outcome.failure is not None)
            if outcome.failure is not None and self._brake.reason is not None:
                raise Refusal(
                    f"the replay is braked: {self._brake.reason}; the last because: {outcome.failure.message}; nothing "
                    f"of its batch was sent: mend the classifier, then: hm replay work {self._definition.job}"
                )

    def _insist(self, step: Callable[[], _T], leave: bool = False) -> _T:
        """Do a step until it works. With `leave`, it may be given up where the partition is not to be worked on."""
        wait = _FIRST_WAIT
        while True:
            try:
                result = step()
            except NotYet:
                self._beat()
            except Unavailable as error:
                self._become("retrying", str(error))
                self._pause(wait)
                wait = next_wait(wait)
                if self._parts.stop.is_set() or (leave and not self._wanted()):
                    raise _Left from None
            else:
                if self._state[0] == "retrying":
                    self._become("running")
                return result

    def _wait(self, delay: float) -> None:
        """Wait for our turn, and while the live stream is behind. Nothing is in flight."""
        until = time.monotonic() + delay
        while (behind := self._live_is_behind()) or time.monotonic() < until:
            self._become("yielding" if behind else "running")
            self._pause(min(_TICK_SECONDS, max(0.0, until - time.monotonic()) if not behind else _TICK_SECONDS))
            self._go_on()
        self._become("running")

    def _live_is_behind(self) -> bool:
        bound = self._definition.yield_to_live
        return bound is not None and self._parts.live.lag() > bound

    def _wanted(self) -> bool:
        """Whether to go on with the partition. All that was sent for it must be durable and noted.

        Raises:
            _Left: somebody else has it now.
        """
        self._beat()
        if self._at not in self._share.check():
            raise _Left
        return not self._parts.stop.is_set() and self._board.job.wanted == "running"

    def _go_on(self) -> None:
        if not self._wanted():
            raise _Left

    def _become(self, state: State, reason: str | None = None) -> None:
        if reason is not None and self._state != (state, reason):
            _LOG.warning("replay %s is %s: %s", self._definition.job, state, reason)
        self._state = (state, reason)
        self._beat()

    def _beat(self) -> None:
        if self._at is not None:
            self._board.say(self._at, *self._state)
        self._parts.display.show(self._board.look(), self._state[0])

    def _pause(self, seconds: float) -> None:
        self._parts.stop.wait(seconds)

    def _rate(self) -> float | None:
        return share_of(self._board.job, self._share.partitions)

    def _size(self) -> int:
        """Memories in a batch. Where a rate is low, so few that they come at least once a second."""
        size = self._parts.settings.stream.batch_size or self._classifier.batch_size
        rate = self._rate()
        return size if rate is None else max(1, min(size, int(rate)))

    def _submit(self, batch: Batch) -> Future[Found]:
        parts = self._parts
        return self._threads.submit(
            classify,
            batch,
            self._definition,
            parts.topics.memories,
            parts.settings.topic_prefix,
            self._classifier,
            parts.rules,
        )
