"""The wiring of `hm replay start` and `hm replay work`."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from hybrid_memory.classifier.choose import Choice, open_classifier, rule_classifier
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.replay.board import Board
from hybrid_memory.replay.display import displayed
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.opening import settings_for
from hybrid_memory.replay.pace import Live
from hybrid_memory.replay.results import results_info
from hybrid_memory.replay.starting import ReplayRequest as Request
from hybrid_memory.replay.starting import create, define, topics_of
from hybrid_memory.replay.store import find_job, load_jobs, replays_info
from hybrid_memory.replay.worker import Parts, Worker
from hybrid_memory.runtime.ending import stopped_when_told
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.garbage import settled
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayDefinition

OpenClassifier = Callable[[Settings], tuple[Classifier, Choice]]

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 2.0
_SWITCH_SECONDS = 0.001
"""A classifier that has answered is to get the next batch at once, however busy the thread is that reads and sends."""
_LINGER = {"linger.ms": 2}
"""A batch is sent at once, and nobody waits for its first record: a few requests instead of one a record."""


def as_program(settings: Settings) -> None:
    """Log, and stand back for other processes on this machine, as the live stream does."""
    configure_logs(settings.log)
    sys.setswitchinterval(_SWITCH_SECONDS)
    if hasattr(os, "nice"):
        os.nice(settings.stream.nice)


@contextmanager
def asked() -> Iterator[None]:
    """What is asked of Kafka before anything is changed: where it is away, that is refused.

    Raises:
        Refusal: it is away.
    """
    try:
        yield
    except Unavailable as error:
        raise Refusal(f"{error}; nothing was changed") from None


def start(settings: Settings, request: Request, open_with: OpenClassifier = open_classifier) -> Job:
    """Make a job and work on it to its end; the job as it is then.

    Raises:
        Refusal: it cannot be had as asked, or cannot go on until somebody mends what the sentence says.
    """
    with asked():
        log = Log(settings)
        definition = define(log, request)
    with _classifier(settings, definition, open_with) as (wanted, classifier):
        with asked():
            job = create(log, definition)
        with stopped_when_told() as stop:
            return _work(wanted, log, job, classifier, stop)


def work(settings: Settings, name: str, open_with: OpenClassifier = open_classifier) -> Job:
    """Work on a job, as one of its workers, to its end; the job as it is then. Raises as `start`."""
    with asked():
        log = Log(settings)
        job = find_job(settings, name, log.cluster)
        topics_of(log)
    if job.finished or job.wanted == "cancelled":
        return job
    with _classifier(settings, job.definition, open_with) as (wanted, classifier), asked(), stopped_when_told() as stop:
        return _work(wanted, log, job, classifier, stop)


def work_on_all(settings: Settings, open_with: OpenClassifier = open_classifier) -> None:
    """Work on every job that is to run, the oldest first, and wait for the next, until told to stop.

    A job that cannot go on is told of in the log, and left alone by this process.

    Raises:
        Refusal: no job can be had: Kafka is not named, does not let us in, or a topic is missing.
    """
    given_up: set[str] = set()
    with stopped_when_told() as stop:
        while not stop.is_set():
            try:
                log = Log(settings)
                topics_of(log)
                job = next((job for job in load_jobs(settings, log.cluster) if _waits(job, given_up)), None)
            except Unavailable as error:
                _LOG.warning("%s; looking for replays goes on when it is back", error)
                job = None
            if job is None:
                stop.wait(_LOOK_SECONDS)
                continue
            try:
                with _classifier(settings, job.definition, open_with) as (wanted, classifier):
                    _work(wanted, log, job, classifier, stop, until_paused=True)
            except (Refusal, Unavailable) as error:
                _LOG.error("replay %s is given up here: %s", job.id, error)
                given_up.add(job.id)


def _waits(job: Job, given_up: set[str]) -> bool:
    return job.wanted == "running" and not job.finished and job.id not in given_up


def _work(
    settings: Settings, log: Log, job: Job, classifier: Classifier, stop: threading.Event, until_paused: bool = False
) -> Job:
    topics = topics_of(log)
    if topics.memories.topic_id != job.definition.topic_id:
        raise Refusal(f"topic {topics.memories.name} was made anew since replay {job.id} began; start another")
    topics = replace(topics, results=results_info(log.cluster, settings, job.id))
    with Publisher(settings, **_LINGER) as publisher, displayed(job) as display, settled():
        board = Board(settings, replays_info(log.cluster, settings), job.id, publisher)
        try:
            board.catch_up()
            live, rules = Live(settings, log.cluster, topics.memories), rule_classifier(settings)
            parts = Parts(settings, topics, classifier, rules, publisher, board, live, display, stop, until_paused)
            Worker(parts).run()
            return board.job
        finally:
            board.close()


@contextmanager
def _classifier(
    settings: Settings, definition: ReplayDefinition, open_with: OpenClassifier
) -> Iterator[tuple[Settings, Classifier]]:
    """The job's classifier, and the settings that say so."""
    with settings_for(settings, definition) as wanted:
        classifier, choice = open_with(wanted)
        _LOG.info("the classifier is %s, since %s", choice.kind, choice.why)
        try:
            yield wanted, classifier
        finally:
            classifier.close()
