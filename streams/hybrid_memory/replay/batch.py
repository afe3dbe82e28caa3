"""Batches of a replay: what is read together, what was found for it, and the records that say so."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.process import Outcome, Task, process_batch
from hybrid_memory.replay.choosing import Chooser
from hybrid_memory.replay.job import now
from hybrid_memory.replay.scan import Scan, own_source
from hybrid_memory.runtime.deadletters import dead_letter
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import NewRecord, Record, encode_fact
from hybrid_memory.schemas.replays import ReplayBefore, ReplayDefinition, ReplayResult, encode_result

_MOST_SKIPPED = 5000
"""So many records that need nothing make a batch of their own, so that progress shows."""


@dataclass(frozen=True, slots=True)
class Item:
    """A memory to classify, its record, and what its fact is going to replace."""

    record: Record
    task: Task
    before: ReplayBefore | None


@dataclass(slots=True)
class Batch:
    """What is classified together, and where reading goes on once it is done."""

    items: list[Item] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    next: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What a classifier made of a batch, and what is to be sent: first `results`, then `facts`."""

    outcomes: list[Outcome]
    results: list[NewRecord]
    facts: list[NewRecord]


def batches(reads: Iterable[list[Record]], size: int, chooser: Chooser, scan: Scan, begin: int) -> Iterator[Batch]:
    """The records in batches of `size` memories; an empty read makes a batch of what there is. The last may be short,
    and does not stand for the end."""
    batch = Batch(next=begin)
    for records in reads:
        for record in records:
            _add(batch, record, chooser, scan)
            if len(batch.items) == size or batch.skipped.total() >= _MOST_SKIPPED:
                yield batch
                batch = Batch(next=batch.next)
        if not records and (batch.items or batch.skipped):
            yield batch
            batch = Batch(next=batch.next)
    if batch.items or batch.skipped:
        yield batch


def classify(
    batch: Batch, definition: ReplayDefinition, topic: TopicInfo, prefix: str, classifier: Classifier, rules: Classifier
) -> Found:
    """Classify a batch. May be called from several threads.

    Raises:
        Unavailable, Refusal: as `process_batch`.
    """
    outcomes = process_batch(
        [item.task for item in batch.items], classifier, rules, generation=definition.generation, at=now()
    )
    pairs = list(zip(batch.items, outcomes, strict=True))
    results = [encode_result(_result(definition.job, item, outcome)) for item, outcome in pairs]
    return Found(outcomes, results, [] if definition.shadow else list(_facts(pairs, definition.job, topic, prefix)))


def _add(batch: Batch, record: Record, chooser: Chooser, scan: Scan) -> None:
    batch.next = record.offset + 1
    reason = chooser.early(record) or (None if scan.is_last(record) else "newer")
    if reason is not None:
        batch.skipped[reason] += 1
        return
    before = scan.before(record.offset)
    chosen = chooser.choose(record, now(), before)
    if isinstance(chosen, Task):
        batch.items.append(Item(record, chosen, before))
    else:
        batch.skipped[chosen] += 1


def _result(job: str, item: Item, outcome: Outcome) -> ReplayResult:
    failure = None if outcome.failure is None else outcome.failure.message[:4096]
    return ReplayResult(job=job, fact=outcome.fact, before=item.before, failure=failure)


def _facts(pairs: Iterable[tuple[Item, Outcome]], job: str, topic: TopicInfo, prefix: str) -> Iterator[NewRecord]:
    for item, outcome in pairs:
        yield encode_fact(outcome.fact, topic.partitions, source=own_source(job))
        if outcome.failure is not None:
            yield dead_letter(item.record, outcome.failure, prefix)
