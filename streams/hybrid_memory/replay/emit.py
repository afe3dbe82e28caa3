"""Emits facts for the memories of a job that it still speaks for, and counts why the others are left alone.

Killed at any moment and called again, it goes on: what is there already is seen, and not said again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from hybrid_memory.replay.job import Job, now
from hybrid_memory.replay.reading import Reader
from hybrid_memory.replay.results import results_info, results_of
from hybrid_memory.replay.scan import Topics
from hybrid_memory.replay.standing import Decide, Standing
from hybrid_memory.replay.starting import topics_of
from hybrid_memory.replay.store import tell
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log, shown
from hybrid_memory.schemas import MemoryClassified, NewRecord, encode_fact
from hybrid_memory.schemas.replays import ReplayOutcome, ReplayResult

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Emission:
    """What is emitted: of which results (`decide`), as which facts (`facts_of`), of which generation, under which
    source; and how that is told while it lasts and when it is done."""

    decide: Decide
    facts_of: Callable[[Sequence[ReplayResult]], Sequence[MemoryClassified]]
    generation: int
    source: str
    doing: Literal["promoting", "reverting"]
    done: Literal["promoted", "reverted"]


def same_log(log: Log, job: Job) -> Topics:
    """The topics of a job: the log is the one that it read, and its results are there.

    Raises:
        Refusal: they are not, or a topic is missing.
        Unavailable: Kafka does not answer.
    """
    topics = topics_of(log)
    if topics.memories.topic_id != job.definition.topic_id:
        name = topics.memories.name
        raise Refusal(f"topic {name} was made anew since replay {job.id} read it; what was found is of another log")
    return replace(topics, results=results_info(log.cluster, log.settings, job.id))


def emit(log: Log, job: Job, topics: Topics, what: Emission) -> ReplayOutcome:
    """Emit a fact for every result that `what` decides for, and tell `replays` before and after. All that is counted
    is confirmed by Kafka, to this call or to one before: called again, it says the same.

    Raises:
        Unavailable: Kafka is away; what was confirmed stays. Call it again for the rest.
        Refusal: Kafka does not take a fact.
    """
    begun = ReplayOutcome(job=job.id, state=what.doing, generation=what.generation, at=now())
    tell(log.settings, [begun], log.cluster)
    emitted, left = _emitted(log, job, topics, what)
    update = {"state": what.done, "emitted": emitted, "left": dict(left), "at": now()}
    outcome = begun.model_copy(update=update)
    tell(log.settings, [outcome], log.cluster)
    return outcome


def _emitted(log: Log, job: Job, topics: Topics, what: Emission) -> tuple[int, Counter[str]]:
    assert topics.results is not None
    name, facts, left = topics.results.name, 0, Counter[str]()
    spans = {number: span for number, span in sorted(log.whole(topics.results).items()) if span[0] < span[1]}
    with (
        Publisher(log.settings) as publisher,
        Reader(log.settings) as reader,
        shown(f"{what.doing} {job.id}", sum(end - begin for begin, end in spans.values())) as show,
    ):
        for number, (begin, end) in spans.items():
            with closing(Standing(reader, topics.memories.name, topics.facts.name, number)) as standing:
                standing.look(job.ranges[number].start)
                results = results_of(reader, name, number, begin, end)
                while some := list(islice(results, _CHUNK)):
                    records = _records(some, standing, what, topics.facts.partitions, left)
                    facts += len(publisher.send_all(records))
                    show(facts + left.total())
    return facts + left.pop("there already", 0), left


def _records(
    results: Iterable[ReplayResult], standing: Standing, what: Emission, partitions: int, left: Counter[str]
) -> list[NewRecord]:
    chosen = []
    for result in results:
        reason = standing.judge(result.fact, what.decide)
        if reason is None:
            chosen.append(result)
        else:
            left[reason] += 1
    return [encode_fact(fact, partitions, source=what.source) for fact in what.facts_of(chosen)]
