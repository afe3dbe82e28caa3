"""Concurrent requests become batches: what arrives within a few milliseconds is classified together, by one thread."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from hybrid_memory.classifier.halving import classify_each
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.service.line import Job, Line, Piece, Result
from hybrid_memory.runtime.errors import Unavailable

_LOG = logging.getLogger(__name__)
_LONGEST_ADVICE = 300.0

Observe = Callable[[int, float], object]
"""Told of each batch: how many texts, and how many seconds they took."""


class Full(Exception):  # noqa: N818  no fault of the program
    """Too much waits already; `retry_after` is when, in seconds, it will have been worked off."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many texts are waiting")
        self.retry_after = retry_after


class Gatherer:
    """Takes texts from an event loop, and feeds them to a classifier in a thread of its own: see `feed`.

    A batch waits at most `gather_s` seconds for more, and never when a batch's worth is there. At most `most` texts
    wait; a single request may bring more where none waits.
    """

    def __init__(self, gather_s: float, most: int, observe: Observe = lambda *_: None) -> None:
        self._gather_s = gather_s
        self._most = most
        self._observe = observe
        self._line = Line()
        self._changed = threading.Condition()
        self._due = math.inf
        self._ends = math.inf
        self._seconds_per_text = 0.0

    @property
    def waiting(self) -> int:
        """How many texts wait."""
        return len(self._line)

    async def classify(self, texts: Sequence[str]) -> list[Result]:
        """The results of these texts, in their order. When it is cancelled, those that were not begun are dropped.

        Raises:
            Full: too much waits already.
            Unavailable, Refusal: the classifier is away, or this is being stopped.
        """
        if not texts:
            return []
        job = Job(texts)
        self._enter(job)
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            with self._changed:
                self._line.drop(job)
            raise

    def feed(self, classifier: Classifier) -> None:
        """Classify what comes, until stopped. Blocks; for one thread."""
        while pieces := self._next(classifier.batch_size):
            began = time.monotonic()
            try:
                results = classify_each([piece.text for piece in pieces], classifier)
            except BaseException as error:
                self._fail(pieces, error)
                if not isinstance(error, Exception):
                    raise
            else:
                for piece, result in zip(pieces, results, strict=True):
                    piece.job.put(piece.number, result)
                self._note(len(pieces), time.monotonic() - began)

    def stop(self, grace_s: float) -> None:
        """Take nothing more; go on with what waits for at most `grace_s` seconds, and with the batch that runs."""
        with self._changed:
            self._ends = min(self._ends, time.monotonic() + grace_s)
            self._changed.notify()

    def _enter(self, job: Job) -> None:
        with self._changed:
            if self._ends < math.inf:
                raise Unavailable("this service is being stopped")
            if len(self._line) and len(self._line) + len(job.texts) > self._most:
                raise Full(min(_LONGEST_ADVICE, len(self._line) * self._seconds_per_text))
            if not self._line:
                self._due = time.monotonic() + self._gather_s
            self._line.add(job)
            self._changed.notify()

    def _next(self, most: int) -> list[Piece]:
        """The next batch, once it is full or has waited; none at the end."""
        with self._changed:
            while (patience := self._patience(most)) > 0:
                self._changed.wait(None if patience == math.inf else patience)
            if time.monotonic() >= self._ends:
                for job in self._line.clear():
                    job.fail(Unavailable("this service is being stopped"))
            self._due = 0.0  # what this batch leaves behind has waited
            return self._line.take(most)

    def _patience(self, most: int) -> float:
        """Seconds for which a batch should still wait."""
        if self._ends < math.inf or len(self._line) >= most:
            return 0.0
        return self._due - time.monotonic() if self._line else math.inf

    def _fail(self, pieces: Sequence[Piece], error: BaseException) -> None:
        if not isinstance(error, Unavailable):
            _LOG.error("a batch could not be classified", exc_info=error)
        with self._changed:
            for piece in pieces:
                self._line.drop(piece.job)
        for piece in pieces:
            piece.job.fail(error)

    def _note(self, texts: int, seconds: float) -> None:
        mine = seconds / texts
        self._seconds_per_text = 0.8 * self._seconds_per_text + 0.2 * mine if self._seconds_per_text else mine
        self._observe(texts, seconds)
