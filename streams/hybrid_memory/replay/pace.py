"""How fast a worker may go: at most so many a second, and not while the live stream is behind."""

import time
from collections.abc import Callable

from hybrid_memory.replay.job import Job
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.settings import Settings

Clock = Callable[[], float]
_ASK_SECONDS = 1.0


class Pace:
    """Spreads work over time. Of one thread; times are the clock's seconds. Pure."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._free = clock()

    def take(self, count: int, rate: float | None) -> float:
        """How many seconds to wait before `count` more may be worked on, at `rate` a second."""
        now = self._clock()
        begin = max(self._free, now)  # what was not used in time is not saved up
        self._free = begin + (count / rate if rate else 0.0)
        return begin - now


def share_of(job: Job, mine: frozenset[int]) -> float | None:
    """The part of the job's rate that is due to who has these partitions; None: no bound."""
    if job.definition.rate is None:
        return None
    return job.definition.rate * max(1, len(mine & job.left)) / max(1, len(job.left))


class Live:
    """How far the live stream is behind, asked at most once a second."""

    def __init__(self, settings: Settings, cluster: Cluster, topic: TopicInfo) -> None:
        self._cluster, self._topic = cluster, topic
        self._group = settings.topic_prefix + settings.stream.group
        self._asked, self._lag = float("-inf"), 0

    def lag(self) -> int:
        """The records that its group has before it; 0 where it has never committed: then there is no stream.

        Raises:
            Unavailable: Kafka does not answer.
        """
        if time.monotonic() - self._asked >= _ASK_SECONDS:
            committed = self._cluster.committed_by(self._group, [self._topic])
            ends = self._cluster.ends(self._topic) if committed else {}
            self._lag = sum(max(0, ends[number] - offset) for (_, number), offset in committed.items())
            self._asked = time.monotonic()
        return self._lag
