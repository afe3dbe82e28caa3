"""What a job found, memory by memory, as its own topic keeps it."""

from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException

from hybrid_memory.replay.latest import Latest
from hybrid_memory.replay.reading import Reader
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayResult, decode_result, results_topic


def results_info(cluster: Cluster, settings: Settings, job: str) -> TopicInfo:
    """The topic of a job's results.

    Raises:
        Refusal: it is gone.
        Unavailable: Kafka does not answer.
    """
    name = settings.topic_prefix + results_topic(job)
    found = cluster.topics([name])
    if name not in found:
        raise Refusal(f"topic {name}, which held what replay {job} found, does not exist any more")
    return found[name]


def drop_results(cluster: Cluster, settings: Settings, job: str) -> None:
    """Delete that topic, where it is not gone already.

    Raises:
        Refusal: Kafka does not delete it.
        Unavailable: Kafka does not answer.
    """
    name = settings.topic_prefix + results_topic(job)
    [gone] = cluster.admin.delete_topics([name]).values()
    try:
        cluster.result(gone)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise Refusal(f"Kafka does not delete topic {name}: {error.args[0].str()}") from None


def read_results(settings: Settings, job: str, cluster: Cluster | None = None) -> Iterator[ReplayResult]:
    """All that a job has found until now: one result a memory, the last where a batch was done twice.

    Memory stays small whatever the size: a partition is read twice, once for where each key stands last.

    Raises:
        Refusal: its topic is gone, or holds what is no result.
        Unavailable: Kafka does not answer; begin again.
    """
    cluster = cluster or Cluster(settings)
    topic = results_info(cluster, settings, job)
    starts, ends = cluster.starts(topic), cluster.ends(topic)
    with Reader(settings) as reader:
        for number in sorted(ends):
            yield from results_of(reader, topic.name, number, starts[number], ends[number])


def results_of(reader: Reader, topic: str, number: int, begin: int, end: int) -> Iterator[ReplayResult]:
    """Those of one partition, from one offset to before another; of each memory the last."""
    with Latest() as latest:
        for records in reader.read(topic, number, begin, end):
            latest.put((record.key or b"", record.offset) for record in records)
        for records in reader.read(topic, number, begin, end):
            for record in records:
                if latest.is_last(record.key or b"", record.offset):
                    yield decode_result(record)
