"""Finds the log, and makes sure that the index is a view of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.store import Identity, TopicPartition, VectorStore
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.schemas import CLASSIFIED, MEMORIES
from hybrid_memory.sink.ownership import check_identity, check_progress, new_identity
from hybrid_memory.sink.session import Topics

GROUP_PREFIX = "hm-sink-"


@dataclass(frozen=True, slots=True)
class Attached:
    """A log and an index that belong together.

    `first` is the first offset that each partition still has, and `start` where to read it from. What stands before
    `answered` was answered already, by the sink of another index or by this one before it was restored from a copy: it
    is applied in silence.
    """

    topics: Topics
    identity: Identity
    first: Mapping[TopicPartition, int]
    start: Mapping[TopicPartition, int]
    answered: Mapping[TopicPartition, int]
    delete_retention_ms: int


def attach(cluster: Cluster, topic_prefix: str, store: VectorStore, embedder: Embedder) -> Attached:
    """Look at both, claim a new index for this log, and refuse another's.

    Raises:
        Unavailable: Kafka is away, or the topics are not there yet.
        Refusal: the index is not a view of this log.
    """
    topics = find_topics(cluster, topic_prefix)
    both = {topic.name: topic for topic in (topics.memories, topics.classified)}
    identity = store.identity()
    if identity is None:
        mine = new_identity(both, embedder.name, embedder.dimensions)
        store.claim(mine)
        identity = store.identity() or mine  # another sink may have been first
    check_identity(identity, both, embedder.name, embedder.dimensions)
    progress = store.progress()  # before the ends are asked for: other sinks go on meanwhile
    ends = {(topic.name, number): end for topic in both.values() for number, end in cluster.ends(topic).items()}
    retention = int(cluster.config(topics.memories.name)["delete.retention.ms"])
    check_progress(progress, ends, int(time.time() * 1000), retention)
    starts = {(topic.name, number): at for topic in both.values() for number, at in cluster.starts(topic).items()}
    start = {place: max(at, progress.positions.get(place, 0)) for place, at in starts.items()}
    return Attached(topics, identity, starts, start, cluster.committed(GROUP_PREFIX, both.values()), retention)


def find_topics(cluster: Cluster, prefix: str) -> Topics:
    """Both topics.

    Raises:
        Unavailable: Kafka is away, or they are not there yet.
    """
    names = (prefix + MEMORIES, prefix + CLASSIFIED)
    found = cluster.topics(names)
    missing = [name for name in names if name not in found]
    if missing:
        raise Unavailable("missing topics; make them with: hm topics apply")
    return Topics(*(found[name] for name in names))


def watermark(cluster: Cluster, topics: Topics) -> dict[TopicPartition, int]:
    """How far any sink has published that it has applied and answered the log.

    Raises:
        Unavailable: Kafka is away.
    """
    both = (topics.memories, topics.classified)
    ends = {(topic.name, number): end for topic in both for number, end in cluster.ends(topic).items()}
    return {place: min(offset, ends[place]) for place, offset in cluster.committed(GROUP_PREFIX, both).items()}
