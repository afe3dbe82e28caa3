"""What must be there before the stream can begin."""

import random
import threading

from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.schemas import CLASSIFIED, MEMORIES

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0


def next_wait(wait: float) -> float:
    """The wait after this one, with jitter, in seconds."""
    return min(_LONGEST_WAIT, wait * random.uniform(1.5, 2.5))


def await_topics(cluster: Cluster, topic_prefix: str, status: Status, stop: threading.Event) -> TopicInfo | None:
    """The topic of memories, once Kafka answers and has all that the stream needs; None when `stop` came first.

    Raises:
        Refusal: Kafka does not let us in, or the two topics have not as many partitions each.
    """
    wait = _FIRST_WAIT
    while not stop.is_set():
        try:
            return _topic(cluster, topic_prefix)
        except Unavailable as error:
            status.become("starting", str(error))
        stop.wait(wait)
        wait = next_wait(wait)
    return None


def _topic(cluster: Cluster, prefix: str) -> TopicInfo:
    memories, facts, letters = (prefix + name for name in (MEMORIES, CLASSIFIED, f"dlq.{MEMORIES}"))
    found = cluster.topics([memories, facts, letters])
    for name in (memories, facts, letters):
        if name not in found:
            raise Unavailable(f"topic {name} does not exist; make it with: hm topics apply")
    if found[memories].partitions != found[facts].partitions:
        raise Refusal(
            f"topic {memories} has {found[memories].partitions} partitions and {facts} has {found[facts].partitions}; "
            "a memory has one partition number on both: copy one of them into a topic of another name (HM_TOPIC_PREFIX)"
        )
    return found[memories]
