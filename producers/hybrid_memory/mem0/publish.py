"""The one publisher: hints in, what Mem0 says now out, in this order: read, publish, read once more, commit.

A hint that was written before Mem0 was last asked of its memory tells nothing new: nobody is asked because of it.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from hybrid_memory.mem0.asked import Asked
from hybrid_memory.mem0.heard import Heard
from hybrid_memory.mem0.intake import Intake, group_of
from hybrid_memory.mem0.opening import Opened, opened
from hybrid_memory.mem0.patience import Stopped, until_done
from hybrid_memory.mem0.settle import STAGE, Done, Noticed, Settler
from hybrid_memory.mem0.there import There
from hybrid_memory.mem0.told import Told
from hybrid_memory.mem0.view import View
from hybrid_memory.mem0.write_back import WriteBack
from hybrid_memory.runtime.deadletters import Failure, dead_letter
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, DecodeError, NewRecord, Record
from hybrid_memory.schemas.mem0 import Mem0Hint, decode_mem0

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 10.0
_BELIEVED_SECONDS = 12 * 3600
"""Half of the hints' min.compaction.lag.ms: for so long no hint is taken away that would gainsay a bulk read."""


class Publishing:
    """Takes a batch of hints, settles it, commits it. Belongs to one thread."""

    def __init__(self, parts: Opened, intake: Intake, heard: Heard, settler: Settler, metrics: Metrics) -> None:
        self._parts, self._intake, self._heard, self._settler = parts, intake, heard, settler
        self._metrics = metrics
        self.total = Done()

    def step(self) -> int:
        """Deal with what is there, at most a batch; how many records that were.

        Raises:
            Stopped: nothing was committed, so it will be done again.
            Refusal: somebody has to mend what the sentence says.
        """
        taken = self._intake.take(self._parts.settings.mem0.batch_size)
        if not taken:
            return 0
        began, letters = time.monotonic(), list[NewRecord]()
        noticed = list(self._notice(taken, letters))
        done = self._settler.settle(noticed)
        if letters:
            until_done(lambda: self._parts.publisher.send_all(letters), self._settler.stop)
        done.dead += len(letters)
        self._tell(done, len(taken), time.monotonic() - began)
        # Last: who sees that it is committed sees it counted too.
        until_done(self._intake.commit, self._settler.stop)
        return len(taken)

    def _notice(self, taken: Sequence[Record], letters: list[NewRecord]) -> Iterator[Noticed]:
        """The hints that are ours; what nobody can read is a dead letter, what readers keep for themselves nothing."""
        for record in taken:
            try:
                event = decode_mem0(record)
            except DecodeError as error:
                failure = Failure(error.error_class, "DecodeError", str(error), STAGE)
                letters.append(dead_letter(record, failure, self._parts.settings.topic_prefix))
                continue
            if isinstance(event, Mem0Hint) and event.project in (None, self._parts.project):
                believed = self._heard.note(record.partition, record.offset, event) and _is_young(record)
                noticed = Noticed(record, event, believed)
                covered = self._settler.asked.covers(event.mem0_id, record.partition, record.offset)
                if noticed.redriven or not covered:
                    yield noticed

    def _tell(self, done: Done, records: int, seconds: float) -> None:
        self.total += done
        counted = {"applied": done.published + done.deleted, "skipped": done.unchanged, "dead": done.dead}
        for outcome, count in counted.items():
            self._metrics.records.labels(STAGE, outcome).inc(count)
        self._metrics.batch_size.labels(STAGE).observe(records)
        self._metrics.stage_duration.labels(STAGE).observe(seconds)
        if done.published or done.deleted or done.dead:
            _LOG.info(
                "published %d, deleted %d, %d as they were, %d dead",
                *(done.published, done.deleted, done.unchanged, done.dead),
                extra={"project": self._parts.project, "hints": records, "seconds": round(seconds, 3)},
            )


@contextmanager
def publishing(parts: Opened, metrics: Metrics, stop: threading.Event) -> Iterator[Publishing]:
    """Everything that a publisher needs, while the context lasts.

    Raises:
        Refusal: the topic `memories` is missing.
    """
    settings, heard, asked = parts.settings, Heard(), Asked()
    with ExitStack() as stack:
        memories = until_done(lambda: parts.log.topic(settings.topic_prefix + MEMORIES), stop)
        view = stack.enter_context(closing(View(settings, parts.log.cluster, memories, There(parts.rule))))
        pool = stack.enter_context(ThreadPoolExecutor(settings.mem0.concurrency, "mem0-ask"))
        group = group_of(settings, parts.project)
        intake = stack.enter_context(closing(Intake(settings, parts.hints, group, on_given=(heard.begin, asked.begin))))
        until_done(view.catch_up, stop)
        _LOG.info("memories holds %d of this Mem0", view.there.count(), extra={"project": parts.project})
        ends, told = partial(parts.log.cluster.ends, parts.hints), Told(parts.log)
        settler = Settler(
            *(parts.api, parts.rule, view, parts.publisher, pool, stop, ends, asked, told), settings.topic_prefix
        )
        yield Publishing(parts, intake, heard, settler, metrics)


def publish(settings: Settings, metrics: Metrics, stop: threading.Event, ready: threading.Event | None = None) -> None:
    """Publish until `stop` is set; waits for whatever is away. `ready` is set when it has begun.

    Raises:
        Refusal: Mem0 or Kafka does not let us in.
    """
    try:
        with opened(settings, stop) as parts, publishing(parts, metrics, stop) as publisher:
            if ready is not None:
                ready.set()
            with _written_back(parts, stop):
                while not stop.is_set():
                    publisher.step()
    except Stopped:
        return


@contextmanager
def _written_back(parts: Opened, stop: threading.Event) -> Iterator[None]:
    """Classifiers are written to Mem0 while the context lasts, where that is wanted."""
    if not parts.settings.mem0.write_back:
        yield
        return
    writer = WriteBack(parts, stop, on_failure=stop.set)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join(_STOP_SECONDS)
    if writer.failure is not None:
        raise writer.failure


def publish_once(settings: Settings, stop: threading.Event) -> Done:
    """Publish what is hinted at by now, together with all publishers of the project, and return.

    Raises:
        Refusal: Mem0 or Kafka does not let us in, or is away at the beginning.
        Stopped: `stop` was set; the rest is still hinted at.
    """
    with opened(settings) as parts, publishing(parts, Metrics(), stop) as publisher:
        spans = parts.log.whole(parts.hints)
        group = group_of(settings, parts.project)
        while True:
            if publisher.step():
                continue
            if stop.is_set():
                raise Stopped
            committed = until_done(lambda: parts.log.cluster.committed_by(group, [parts.hints]), stop)
            places = {number: committed.get((parts.hints.name, number), 0) for number in spans}
            if all(places[number] >= end for number, (start, end) in spans.items() if start < end):
                return publisher.total


def _is_young(record: Record) -> bool:
    return time.time() - record.timestamp / 1000 < _BELIEVED_SECONDS
