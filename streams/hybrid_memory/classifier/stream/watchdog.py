"""A thread that measures the lag, and ends the process where nothing moves: no library's hang lasts for ever."""

import contextlib
import faulthandler
import sys
import threading
from collections.abc import Callable, Collection

from confluent_kafka import KafkaException

from hybrid_memory.classifier.stream.ending import die
from hybrid_memory.classifier.stream.progress import Progress
from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.metrics import Metrics

_LONGEST_PAUSE = 5.0
_KAFKA = 0
"""Stands for Kafka among the batches that have troubles; theirs begin at 1."""


class Watchdog:
    """Looks every few seconds, from `start` to `stop`; ends the process when nothing moved for `stuck_seconds`."""

    def __init__(
        self,
        cluster: Cluster,
        topic: TopicInfo,
        group: str,
        assigned: Callable[[], Collection[int]],
        progress: Progress,
        status: Status,
        metrics: Metrics,
        stuck_seconds: float,
    ) -> None:
        self._cluster, self._topic, self._group = cluster, topic, group
        self._assigned, self._progress, self._status = assigned, progress, status
        self._stuck_seconds = stuck_seconds
        self._gauge = metrics.lag.labels(group, topic.name)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def join(self) -> None:
        """After `stop`: wait for the answer to its last question, in whose midst no interpreter can end."""
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(min(_LONGEST_PAUSE, self._stuck_seconds / 4)):
            self._progress.lag(self._measured())
            stuck = self._progress.stuck(self._stuck_seconds)
            if stuck is not None and not self._stopped.is_set():
                with contextlib.suppress(Exception):  # an output that is no file
                    faulthandler.dump_traceback(sys.stderr, all_threads=True)
                die(stuck)

    def _measured(self) -> int | None:
        """The lag of the partitions that are ours, or None where Kafka does not say."""
        try:
            found = self._cluster.topics([self._topic.name]).get(self._topic.name)
            if found is not None and found.topic_id != self._topic.topic_id:
                die(f"topic {self._topic.name} was made anew while it was read")
            lag = self._lag(self._assigned())
        except (Unavailable, Refusal, KafkaException) as error:
            self._status.trouble(_KAFKA, str(error))
            return None
        self._status.trouble(_KAFKA, None)
        self._gauge.set(lag)
        return lag

    def _lag(self, partitions: Collection[int]) -> int:
        if not partitions:
            return 0
        ends, starts = self._cluster.ends(self._topic), self._cluster.starts(self._topic)
        committed = self._cluster.committed_by(self._group, [self._topic])
        done = self._progress.positions
        return sum(
            max(0, ends[at] - max(starts[at], committed.get((self._topic.name, at), 0), done.get(at, 0)))
            for at in partitions
        )
