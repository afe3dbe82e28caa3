"""The wiring of `hm classify stream`."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from hybrid_memory.classifier.choose import Choice, open_classifier, rule_classifier
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.stream.consumer import StreamConsumer
from hybrid_memory.classifier.stream.follow import Follower
from hybrid_memory.classifier.stream.kafka_keys import Connection, to_connection
from hybrid_memory.classifier.stream.own_thread import InOwnThread
from hybrid_memory.classifier.stream.probes import served
from hybrid_memory.classifier.stream.ready import await_topics
from hybrid_memory.classifier.stream.report import Report
from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.classifier.stream.work import Work
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.garbage import settled
from hybrid_memory.runtime.http.guard import make_guard
from hybrid_memory.runtime.http.listen import bind
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

OpenClassifier = Callable[[Settings], tuple[Classifier, Choice]]

_LOG = logging.getLogger(__name__)
_ANSWER_SECONDS = 5.0
_SWITCH_SECONDS = 0.001
"""The reading thread needs the interpreter for some microseconds at a time, many times: at Python's own 5 ms it starves
beside threads that decode and encode."""


def run_stream(settings: Settings, open_classifier: OpenClassifier = open_classifier) -> None:
    """Classify what is on the log until told to stop (SIGINT or SIGTERM); what was begun is finished and committed.

    Raises:
        Refusal: it cannot run as asked: no Kafka is named or it does not let us in, the port is taken, the classifier
            cannot be had, or it would stand open to other machines; or it cannot go on: the brake has pulled.
    """
    configure_logs(settings.log)
    _stand_back(settings.stream.nice)
    _quieten()
    sys.setswitchinterval(_SWITCH_SECONDS)
    _ = settings.bootstrap_servers
    connection = _connection(settings)
    guard = make_guard(settings, settings.stream.host)
    listener = bind(settings.stream.host, settings.stream.port)
    metrics, status, stop = Metrics(), Status(), threading.Event()
    _LOG.info("listening", extra={"url": f"http://{settings.stream.host}:{listener.getsockname()[1]}"})
    with served(listener, status, metrics, guard):
        _stop_when_told(stop, status)
        classifier = _ready(settings, open_classifier)
        status.become("starting", "waiting for Kafka")
        try:
            with settled():
                _stream(settings, connection, classifier, metrics, status, stop)
        finally:
            classifier.close()


def _stream(
    settings: Settings,
    connection: Connection,
    classifier: Classifier,
    metrics: Metrics,
    status: Status,
    stop: threading.Event,
) -> None:
    cluster = Cluster(settings, _ANSWER_SECONDS)
    topic = await_topics(cluster, settings.topic_prefix, status, stop)
    if topic is None:
        return
    rules, generation = rule_classifier(settings), settings.classifier.generation
    work = Work(topic, settings.topic_prefix, classifier, rules, generation)
    follower = Follower(settings, connection, cluster, work, metrics, status, Report(metrics))
    asyncio.run(follower.run(stop))


def _ready(settings: Settings, open_classifier: OpenClassifier) -> Classifier:
    """The classifier, loaded and warm, so that the first batch is as fast as the others."""
    classifier, choice = open_classifier(settings)
    _LOG.info("the classifier is %s, since %s", choice.kind, choice.why)
    try:
        classifier.classify(["I love hiking in the mountains."])
    except Unavailable as error:
        _LOG.warning("the classifier does not answer yet: %s", error)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"the classifier cannot classify: {type(error).__name__}: {error}") from error
    return InOwnThread(classifier)


def _stop_when_told(stop: threading.Event, status: Status) -> None:
    def on_signal(*_: object) -> None:
        stop.set()
        if status.loading:  # deep in a library, which looks at no event
            _LOG.info("stopped while the classifier was being loaded")
            os._exit(0)

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, on_signal)


def _connection(settings: Settings) -> Connection:
    connection = to_connection(settings.kafka)
    if connection.unused:
        _LOG.info("the stream's reader has no use for these settings of Kafka: %s", ", ".join(connection.unused))
    return connection


def _stand_back(nice: int) -> None:
    """Inserts and searches on this machine go first: a model on a processor takes all that it gets."""
    if hasattr(os, "nice"):
        os.nice(nice)


def _quieten() -> None:
    """What Faust and its libraries say of every step is not for our logs."""
    for noisy in ("faust", "mode", "asyncio", StreamConsumer.__module__):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It calls each attempt to reach a broker that is starting or away an error; we say once that Kafka is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # "woke up too late", whenever the machine is busy
