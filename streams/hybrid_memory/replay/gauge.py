"""How far each replay is, for Prometheus. Workers come and go and have no port, so a service that stays tells it."""

import logging
import threading

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from hybrid_memory.replay.job import Jobs
from hybrid_memory.replay.store import replays_info
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import PASSING, Cluster, make_consumer, to_record
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_GROUP = "hm-replay-gauge"  # never committed to
_BATCH = 500
_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


class ProgressGauge:
    """Follows the topic `replays` in a thread of its own: a series for each replay, until it is cancelled or deleted.

    Where the topic cannot be read, the series stay as they were, and it is tried again.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._gauge = settings, metrics.replay_progress
        self._shown: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay-gauge", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it a moment: it may be asking a Kafka that is away."""
        self._stop.set()
        self._thread.join(2 * _LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (Unavailable, Refusal, KafkaException) as error:
                _LOG.debug("how far replays are is not known: %s", error)
                self._stop.wait(_AGAIN_SECONDS)

    def _follow(self) -> None:
        topic = replays_info(Cluster(self._settings), self._settings)
        whole = [TopicPartition(topic.name, number, OFFSET_BEGINNING) for number in range(topic.partitions)]
        consumer, jobs = make_consumer(self._settings, _GROUP, **{"fetch.wait.max.ms": 1000}), Jobs()
        try:
            consumer.assign(whole)
            while not self._stop.is_set():
                for message in _next(consumer):
                    jobs.apply(to_record(message))
                self._show(jobs)
        finally:
            consumer.close()

    def _show(self, jobs: Jobs) -> None:
        ratios = {job.id: job.ratio for job in jobs.all() if job.wanted != "cancelled"}
        for job, ratio in ratios.items():
            self._gauge.labels(job).set(ratio)
        for job in self._shown - ratios.keys():
            self._gauge.remove(job)
        self._shown = set(ratios)


def _next(consumer: Consumer) -> list[Message]:
    """What has come in a moment.

    Raises:
        KafkaException: the topic cannot be read any more.
    """
    messages = consumer.consume(_BATCH, _LOOK_SECONDS)
    for error in (error for message in messages if (error := message.error()) is not None):
        if error.code() not in PASSING and not error.retriable():
            raise KafkaException(error)
    return [message for message in messages if message.error() is None]
