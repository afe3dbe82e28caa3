"""A worker: takes its share of a job's partitions, one after another, until all of the job is done."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.stream.own_thread import InOwnThread
from hybrid_memory.classifier.stream.ready import next_wait
from hybrid_memory.replay.batch import Batch, Found, batches, classify
from hybrid_memory.replay.board import Board
from hybrid_memory.replay.choosing import Chooser
from hybrid_memory.replay.delivering import Delivering
from hybrid_memory.replay.duty import FIRST_WAIT, Display, Duty, Left
from hybrid_memory.replay.flying import Flying
from hybrid_memory.replay.job import now
from hybrid_memory.replay.looking import Looking, Place
from hybrid_memory.replay.pace import Live, Pace, share_of
from hybrid_memory.replay.scan import Topics
from hybrid_memory.replay.share import join
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayProgress

_AHEAD = 3
"""Batches in flight: one is delivered, one classified, one waits, so that the classifier never does."""
_LOOK_AHEAD = 16
"""So many batches before the end of a partition, the next one is looked at: in much less time than they take."""
_TICK_SECONDS = 0.2


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
    until_paused: bool = False
    """Whether a pause of the job is the worker's end."""


class Worker:
    """Works on one job, in one thread; the classifier and the encoding have others."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._board, self._definition = parts, parts.board, parts.board.job.definition
        self._share = join(parts.settings, self._definition.job, parts.topics.memories)
        self._duty = Duty(parts.board, self._share, parts.display, parts.stop)
        stream = parts.settings.stream
        brake = Brake(stream.brake_window, stream.brake_share, stream.brake_in_a_row)
        self._delivering = Delivering(parts.publisher, parts.board, self._duty, brake)
        self._chooser = Chooser(self._definition, parts.topics.memories, parts.rules)
        self._classifier = InOwnThread(parts.classifier)
        self._threads = ThreadPoolExecutor(_AHEAD, "replay-batch")
        self._looking = Looking(parts.settings, self._definition, parts.topics)
        self._pace = Pace()

    def run(self) -> None:
        """Until the job is done or cancelled, or until told to stop.

        Raises:
            Refusal: it cannot go on until somebody mends what the sentence says; all that was sent is noted.
        """
        wait = FIRST_WAIT
        try:
            while not (self._duty.stopped or self._over()):
                try:
                    self._turn()
                    wait = FIRST_WAIT
                except Unavailable as error:
                    self._duty.become("retrying", str(error))
                    self._duty.pause(wait)
                    wait = next_wait(wait)
        finally:
            self._board.leave()
            self._share.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._looking.close()

    def _over(self) -> bool:
        job = self._duty.beat()
        return job.finished or job.wanted == "cancelled" or (self._parts.until_paused and job.wanted == "paused")

    def _turn(self) -> None:
        """Work on one of our partitions, or wait a moment."""
        job = self._board.job
        mine = self._share.check() & job.left
        if mine and job.wanted == "running":
            with self._at(min(mine)):
                self._partition(min(mine))
            return
        self._looking.give_up()
        for number in mine:
            self._board.say(number, "paused")
        self._duty.become("paused" if job.wanted == "paused" else "waiting")
        self._duty.pause(_TICK_SECONDS)

    @contextmanager
    def _at(self, partition: int) -> Iterator[None]:
        self._duty.partition = partition
        try:
            yield
        except Left:
            pass
        except Refusal as refusal:
            self._board.say(partition, "braked", str(refusal))
            raise
        finally:
            self._duty.partition = None
        self._board.say(partition, "left")

    def _partition(self, partition: int) -> None:
        job = self._board.catch_up()  # who had it before us may just have said how far it is
        if job.is_done(partition):
            return
        place = Place.of(job, partition)
        progress = job.progress.get(partition) or ReplayProgress(
            job=job.id, partition=partition, next=place.begin, at=now()
        )
        self._duty.become("scanning")
        look = self._looking.take(place, self._duty.go_on)
        try:
            self._duty.become("running")
            progress = self._work(batches(look.reads, self._size(), self._chooser, look.scan, place.begin), progress)
            self._delivering.note(progress.model_copy(update={"next": place.end, "done": True}))
        finally:
            look.close()

    def _work(self, some: Iterator[Batch], progress: ReplayProgress) -> ReplayProgress:
        """Classify and deliver batch after batch, in their order; how far it has come at the end."""
        flying = Flying(self._submit)
        for batch in some:
            delay = self._pace.take(len(batch.items), self._rate())
            if delay > 0 or self._live_is_behind():
                progress = self._deliver(flying, progress, leave=0)
                self._wait(delay)
            flying.begin(batch)
            self._look_ahead(progress.partition, batch.next)
            progress = self._deliver(flying, progress, leave=_AHEAD - 1)
            if not self._duty.wanted():
                self._deliver(flying, progress, leave=0)
                raise Left
        return self._deliver(flying, progress, leave=0)

    def _look_ahead(self, partition: int, position: int) -> None:
        """Have a look at the partition that comes next, once little of this one is left."""
        job = self._board.job
        if job.ranges[partition].end - position <= _LOOK_AHEAD * self._size():
            rest = self._share.partitions & job.left - {partition}
            if rest:
                self._looking.begin(Place.of(job, min(rest)))

    def _deliver(self, flying: Flying, progress: ReplayProgress, leave: int) -> ReplayProgress:
        """Deliver the oldest batches, until so many are left in flight."""
        while len(flying) > leave:
            found = self._duty.insist(flying.result, leave=True)
            seconds = time.monotonic() - flying.since
            progress = self._delivering.deliver(flying.first, found, progress, seconds)
            flying.ended()
        return progress

    def _wait(self, delay: float) -> None:
        """Wait for our turn, and while the live stream is behind. Nothing is in flight."""
        until = time.monotonic() + delay
        while (behind := self._live_is_behind()) or time.monotonic() < until:
            self._duty.become("yielding" if behind else "running")
            left = _TICK_SECONDS if behind else max(0.0, until - time.monotonic())
            self._duty.pause(min(_TICK_SECONDS, left))
            self._duty.go_on()
        self._duty.become("running")

    def _live_is_behind(self) -> bool:
        bound = self._definition.yield_to_live
        return bound is not None and self._parts.live.lag() > bound

    def _rate(self) -> float | None:
        return share_of(self._board.job, self._share.partitions)

    def _size(self) -> int:
        """Memories in a batch; where the rate is low, so few that some come every second."""
        size = self._parts.settings.stream.batch_size or self._classifier.batch_size
        rate = self._rate()
        return size if rate is None else max(1, min(size, int(rate)))

    def _submit(self, batch: Batch) -> Future[Found]:
        parts, prefix = self._parts, self._parts.settings.topic_prefix
        topic = parts.topics.memories
        return self._threads.submit(classify, batch, self._definition, topic, prefix, self._classifier, parts.rules)
