"""Several workers on one job: a consumer group gives each a share of the partitions.

How far a job is stands in `replays`, not in the group, whose offsets expire while a job is paused for a month. `check`
it when all that was sent for the present partitions is durable and said to be.
"""

from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.membership import Membership
from hybrid_memory.runtime.settings import Settings

_LONGEST_BATCH_MS = 30 * 60 * 1000
"""Between two checks a batch is classified. Who dies is missed by his heartbeats, whatever this says."""


def join(settings: Settings, job: str, topic: TopicInfo) -> Membership:
    """A place in the group of a job."""
    group = f"{settings.topic_prefix}hm-replay-{job}"
    return Membership(settings, group, topic, config={"max.poll.interval.ms": _LONGEST_BATCH_MS})
