"""The topic `replays`: jobs are read from it, and told to it."""

from collections.abc import Callable, Sequence

from hybrid_memory.replay.job import Job, Jobs, now
from hybrid_memory.replay.reading import Reader
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster, TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import NewRecord
from hybrid_memory.schemas.replays import REPLAYS, ReplayEvent, ReplayWanted, Wanted, encode_replay, encode_taken_back

_ANSWER_SECONDS = 5.0


def replays_info(cluster: Cluster, settings: Settings) -> TopicInfo:
    """The topic of all jobs.

    Raises:
        Refusal: it does not exist.
        Unavailable: Kafka does not answer.
    """
    name = settings.topic_prefix + REPLAYS
    found = cluster.topics([name])
    if name not in found:
        raise Refusal(f"topic {name} does not exist; make it with: hm topics apply")
    return found[name]


def load_jobs(settings: Settings, cluster: Cluster | None = None) -> list[Job]:
    """All jobs, the oldest first.

    Raises:
        Refusal, Unavailable: as `replays_info`.
    """
    cluster = cluster or Cluster(settings, _ANSWER_SECONDS)
    topic = replays_info(cluster, settings)
    jobs, starts, ends = Jobs(), cluster.starts(topic), cluster.ends(topic)
    with Reader(settings) as reader:
        for number in (number for number in ends if starts[number] < ends[number]):
            for records in reader.read(topic.name, number, starts[number], ends[number]):
                for record in records:
                    jobs.apply(record)
    return jobs.all()


def find_job(settings: Settings, name: str, cluster: Cluster | None = None) -> Job:
    """The job of this id, or the only one whose id begins or ends so.

    Raises:
        Refusal: there is none, or there are several.
        Unavailable: Kafka does not answer.
    """
    jobs = load_jobs(settings, cluster)
    exact = [job for job in jobs if job.id == name]
    found = exact or [job for job in jobs if name and (job.id.startswith(name) or job.id.endswith(name))]
    if not found:
        raise Refusal(f"there is no replay {name}; hm replay list shows them")
    if len(found) > 1:
        raise Refusal(f"{name} may be {' or '.join(job.id for job in found[:3])}; say more of its id")
    return found[0]


def want(settings: Settings, job: Job, wanted: Wanted, cluster: Cluster | None = None) -> None:
    """Say what is wanted of a job; its workers heed it within a batch.

    Raises:
        Refusal: it is finished, or was cancelled, which is for good.
        Unavailable: Kafka does not answer; nothing was changed, or it was not confirmed.
    """
    if job.wanted == "cancelled":
        raise Refusal(f"replay {job.id} was cancelled; start another")
    if job.finished:
        raise Refusal(f"replay {job.id} is done; there is nothing to change")
    tell(settings, [ReplayWanted(job=job.id, wanted=wanted, at=now())], cluster)


def check_left(job: Job) -> None:
    """Refuse a job that a worker is still at.

    Raises:
        Refusal: one is.
    """
    if at_work := job.working(now()):
        who = next(iter(at_work.values())).worker
        raise Refusal(f"worker {who} has not left replay {job.id} yet; try again in a moment")


def tell(settings: Settings, events: Sequence[ReplayEvent], cluster: Cluster | None = None) -> None:
    """Append to `replays`, and wait until it is durable. Raises as `Publisher.send_all`."""
    _append(encode_replay, settings, events, cluster)


def take_back(settings: Settings, events: Sequence[ReplayEvent], cluster: Cluster | None = None) -> None:
    """Append nulls under the keys of these, and wait until they are durable. Raises as `Publisher.send_all`."""
    _append(encode_taken_back, settings, events, cluster)


def _append(
    encode: Callable[[ReplayEvent, int], NewRecord],
    settings: Settings,
    events: Sequence[ReplayEvent],
    cluster: Cluster | None,
) -> None:
    partitions = replays_info(cluster or Cluster(settings), settings).partitions
    with Publisher(settings) as publisher:
        publisher.send_all([encode(event, partitions) for event in events])
