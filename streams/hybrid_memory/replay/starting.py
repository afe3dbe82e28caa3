"""From what was asked for to a job: looked at, defined, and told to `replays`."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from confluent_kafka.admin import NewTopic
from pydantic import ValidationError

from hybrid_memory.replay.generations import check_above_all, next_generation, present_generation
from hybrid_memory.replay.job import Job, now
from hybrid_memory.replay.opening import classifier_of
from hybrid_memory.replay.results import drop_results
from hybrid_memory.replay.scan import Topics
from hybrid_memory.replay.store import replays_info, tell
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.runtime.topics import await_ready
from hybrid_memory.schemas import CLASSIFIED, MEMORIES, describe
from hybrid_memory.schemas.registry import load_registry
from hybrid_memory.schemas.replays import (
    RESULTS,
    ReplayDefinition,
    ReplayFilters,
    ReplayRange,
    ReplayWanted,
    results_topic,
)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What is asked for. Who classifies is said by the settings.

    `generation`: None is the next; with `filters.stale` it is the present one, since the next would have no fact yet.
    Another must be above that of all facts, shadow or not; but not with `filters.stale`, which passes over what has
    one, nor with `filters.keys`: who names memories one by one knows what they have.
    `partitions`: empty is all. `first` and `last` narrow a partition: from this offset, to before that one.
    """

    filters: ReplayFilters = field(default_factory=ReplayFilters)
    generation: int | None = None
    shadow: bool = False
    rate: float | None = None
    yield_to_live: int | None = None
    partitions: frozenset[int] = frozenset()
    first: Mapping[int, int] = field(default_factory=dict)
    last: Mapping[int, int] = field(default_factory=dict)


def start_replay(settings: Settings, request: ReplayRequest) -> Job:
    """Make a job; workers (`hm replay work`) do it.

    Raises:
        Refusal: it cannot be had as asked; nothing was changed.
        Unavailable: Kafka does not answer; at worst the job is there all the same: see `load_jobs`.
    """
    log = Log(settings)
    return create(log, define(log, request))


def define(log: Log, request: ReplayRequest) -> ReplayDefinition:
    """The job that is asked for, with the offsets of this moment. Changes nothing.

    Raises:
        Refusal, Unavailable: as `start_replay`.
    """
    created, topics = now(), topics_of(log)
    classifier = classifier_of(log.settings)
    ranges = _ranges(log, topics.memories, request)
    generation = _generation(log, topics.facts, request)
    try:
        return ReplayDefinition(
            job=f"{created:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            created=created,
            topic_id=topics.memories.topic_id,
            ranges=ranges,
            filters=request.filters,
            classifier=classifier,
            generation=generation,
            shadow=request.shadow,
            rate=request.rate,
            yield_to_live=request.yield_to_live,
        )
    except ValidationError as error:
        raise Refusal(f"this replay cannot be: {describe(error)}") from None


def create(log: Log, definition: ReplayDefinition) -> Job:
    """Make the topic of a job's results, then tell of the job. Raises as `start_replay`."""
    name = log.settings.topic_prefix + results_topic(definition.job)
    partitions = topics_of(log).memories.partitions
    config = dict(load_registry().topic(RESULTS).config)
    [made] = log.cluster.admin.create_topics([NewTopic(name, partitions, -1, config=config)]).values()
    log.cluster.result(made)
    wanted = ReplayWanted(job=definition.job, wanted="running", at=definition.created)
    try:
        await_ready(log.cluster, [name])
        tell(log.settings, [definition, wanted], log.cluster)
    except (Refusal, Unavailable):
        with suppress(Refusal, Unavailable):
            drop_results(log.cluster, log.settings, definition.job)
        raise
    return Job(definition)


def topics_of(log: Log) -> Topics:
    """The topics that every replay needs.

    Raises:
        Refusal: one is missing, or they have not as many partitions each.
        Unavailable: Kafka does not answer.
    """
    names = [log.settings.topic_prefix + name for name in (MEMORIES, CLASSIFIED, f"dlq.{MEMORIES}")]
    found = log.cluster.topics(names)
    for name in names:
        if name not in found:
            raise Refusal(f"topic {name} does not exist; make it with: hm topics apply")
    replays_info(log.cluster, log.settings)
    memories, facts = found[names[0]], found[names[1]]
    if memories.partitions != facts.partitions:
        raise Refusal(
            f"topic {memories.name} has {memories.partitions} partitions and {facts.name} has {facts.partitions}; "
            "a memory has one partition number on both"
        )
    return Topics(memories, facts)


def _generation(log: Log, facts: TopicInfo, request: ReplayRequest) -> int:
    wanted, filters = request.generation, request.filters
    if wanted is None:
        return present_generation(log, facts) if filters.stale else next_generation(log, facts)
    if not (filters.stale or filters.keys):
        check_above_all(log, facts, wanted)
    return wanted


def _ranges(log: Log, topic: TopicInfo, request: ReplayRequest) -> tuple[ReplayRange, ...]:
    whole = log.whole(topic)
    for number in sorted(request.partitions | set(request.first) | set(request.last)):
        if number not in whole:
            raise Refusal(f"topic {topic.name} has no partition {number}; they are 0 to {topic.partitions - 1}")
        first, last = request.first.get(number, 0), request.last.get(number)
        if last is not None and first >= last:
            raise Refusal(f"offset {first} of partition {number} is not before {last}: nothing could be between them")
    since, until = request.filters.since, request.filters.until
    if since is not None and until is not None and since >= until:
        raise Refusal("--since is not before --until, so nothing could be between them")
    ranges = []
    for number, (begin, end) in sorted(whole.items()):
        if request.partitions and number not in request.partitions:
            continue
        begin, end = _within(log, topic, number, begin, end, since, until)
        begin, end = max(begin, request.first.get(number, 0)), min(end, request.last.get(number, end))
        if begin < end:
            ranges.append(ReplayRange(partition=number, start=begin, end=end))
    return tuple(ranges)


def _within(
    log: Log, topic: TopicInfo, number: int, begin: int, end: int, since: datetime | None, until: datetime | None
) -> tuple[int, int]:
    """The part of a partition in which the records of this time stand."""
    if begin < end and since is not None:
        begin = max(begin, log.first_since(topic, number, round(since.timestamp() * 1000)))
    if begin < end and until is not None:
        end = min(end, log.first_since(topic, number, round(until.timestamp() * 1000)))
    return begin, end
