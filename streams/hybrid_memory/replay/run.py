"""The wiring of `hm replay start` and `hm replay work`."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

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
from hybrid_memory.replay.store import find_job, replays_info
from hybrid_memory.replay.worker import Parts, Worker
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayDefinition

OpenClassifier = Callable[[Settings], tuple[Classifier, Choice]]

_LOG = logging.getLogger(__name__)
_SWITCH_SECONDS = 0.001
"""A classifier that has answered is to get the next batch at once, however busy the thread is that reads and sends."""


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
    with _classifier(settings, definition, open_with) as (wanted, classifier), asked():
        job = create(log, definition)
        return _work(wanted, log, job, classifier)


def work(settings: Settings, name: str, open_with: OpenClassifier = open_classifier) -> Job:
    """Work on a job, as one of its workers, to its end; the job as it is then. Raises as `start`."""
    with asked():
        log = Log(settings)
        job = find_job(settings, name, log.cluster)
        topics_of(log)
    if job.finished or job.wanted == "cancelled":
        return job
    with _classifier(settings, job.definition, open_with) as (wanted, classifier), asked():
        return _work(wanted, log, job, classifier)


def _work(settings: Settings, log: Log, job: Job, classifier: Classifier) -> Job:
    topics = topics_of(log)
    if topics.memories.topic_id != job.definition.topic_id:
        raise Refusal(f"topic {topics.memories.name} was made anew since replay {job.id} began; start another")
    topics = replace(topics, results=results_info(log.cluster, settings, job.id))
    with Publisher(settings) as publisher, displayed(job) as display, stopped_when_told() as stop:
        board = Board(settings, replays_info(log.cluster, settings), job.id, publisher)
        board.catch_up()
        live = Live(settings, log.cluster, topics.memories)
        rules = rule_classifier(settings)
        try:
            Worker(Parts(settings, topics, classifier, rules, publisher, board, live, display, stop)).run()
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


@contextmanager
def stopped_when_told() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    stop = threading.Event()
    before: dict[signal.Signals, Any] = {}

    def on_signal(*_: object) -> None:
        stop.set()
        for sign, handler in before.items():
            signal.signal(sign, handler)

    if threading.current_thread() is threading.main_thread():
        before = {sign: signal.signal(sign, on_signal) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
