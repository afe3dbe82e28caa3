"""Looks at a partition before it is worked on, in a thread of its own: at the next one while the last batches of
another are still in flight, so that the classifier never waits for it."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain
from typing import Self

from hybrid_memory.replay.duty import Left
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.reading import Reader
from hybrid_memory.replay.scan import Beat, Scan, Topics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record
from hybrid_memory.schemas.replays import ReplayDefinition

_WAIT_SECONDS = 0.2
_FETCH_WAIT_MS = 50
"""Its reader stays at the end of a partition as long as the last batches take: at 5 ms that cost inserts a tenth of
Kafka's time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition is to be worked on: from `begin` to before `end`, with `results` as :meth:`Scan.look` says."""

    partition: int
    begin: int
    end: int
    results: int

    @classmethod
    def of(cls, job: Job, partition: int) -> Self:
        """Where a job goes on with a partition."""
        known = job.progress.get(partition)
        return cls(partition, job.position(partition), job.ranges[partition].end, known.results if known else 0)


class Look:
    """What a partition says of a place, and the place's records. Of one thread at a time; to be closed."""

    def __init__(self, settings: Settings, definition: ReplayDefinition, topics: Topics, place: Place) -> None:
        self._reader = Reader(settings, _FETCH_WAIT_MS)
        self._definition, self._topic, self._place = definition, topics.memories.name, place
        self.scan = Scan(definition.job, self._reader, topics, place.partition)
        self.reads: Iterator[list[Record]] = iter(())

    def look(self, ended: threading.Event) -> None:
        """Scan, and read the first records.

        Raises:
            Left: it was ended.
            Unavailable: Kafka has fallen silent.
        """

        def go_on() -> None:
            if ended.is_set():
                raise Left

        place = self._place
        self.scan.look(self._definition.filters, place.begin, place.end, place.results, go_on)
        reads = self._reader.read(self._topic, place.partition, place.begin, place.end)
        self.reads = chain([next(reads, [])], reads)

    def close(self) -> None:
        """Forget all."""
        self.scan.close()
        self._reader.close()


class Looking:
    """Takes one look after another; one may be begun before it is taken. Of one thread."""

    def __init__(self, settings: Settings, definition: ReplayDefinition, topics: Topics) -> None:
        self._settings, self._definition, self._topics = settings, definition, topics
        self._thread = ThreadPoolExecutor(1, "replay-look")
        self._begun: _Begun | None = None

    def begin(self, place: Place) -> "Future[Look]":
        """Have a look at this place, if that was not begun; any other is given up."""
        if self._begun is None or self._begun.place != place:
            self.give_up()
            ended = threading.Event()
            self._begun = _Begun(place, self._thread.submit(self._look, place, ended), ended)
        return self._begun.future

    def take(self, place: Place, beat: Beat) -> Look:
        """The look at this place, which is the caller's to close. `beat` is called now and then while it lasts; what it
        raises ends it.

        Raises:
            Unavailable: Kafka has fallen silent.
        """
        future = self.begin(place)
        try:
            while not wait([future], _WAIT_SECONDS).done:
                beat()
            look = future.result()
        except BaseException:
            self.give_up()
            raise
        self._begun = None
        return look

    def give_up(self) -> None:
        """End the one that was begun, if any: what it says may grow old."""
        if self._begun is not None:
            self._begun.ended.set()
            self._begun.future.add_done_callback(_close)
            self._begun = None

    def close(self) -> None:
        """End it, and wait until it has ended."""
        self.give_up()
        self._thread.shutdown(cancel_futures=True)

    def _look(self, place: Place, ended: threading.Event) -> Look:
        look = Look(self._settings, self._definition, self._topics, place)
        try:
            look.look(ended)
        except BaseException:
            look.close()
            raise
        return look


@dataclass(frozen=True, slots=True)
class _Begun:
    """A look that nobody has taken yet."""

    place: Place
    future: Future[Look]
    ended: threading.Event


def _close(future: Future[Look]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()
