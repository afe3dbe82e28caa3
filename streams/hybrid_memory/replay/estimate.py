"""What a job would do, counted without classifying anything, and how long it would take."""

from collections import Counter
from dataclasses import dataclass

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.replay.batch import batches
from hybrid_memory.replay.choosing import Chooser
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.reading import Reader
from hybrid_memory.replay.scan import Scan, Topics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayDefinition

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many memories would be classified, of how many characters, and what would be passed over. `speed` is texts a
    second, None where nobody knows."""

    memories: int
    characters: int
    skipped: dict[str, int]
    speed: float | None

    @property
    def seconds(self) -> float | None:
        """How long one worker would take."""
        return self.memories / self.speed if self.speed else None


def estimate(
    settings: Settings, definition: ReplayDefinition, topics: Topics, rules: Classifier, others: list[Job]
) -> Estimate:
    """Read all that the job would read, and count.

    Raises:
        Unavailable: Kafka does not answer.
    """
    chooser, skipped, memories, characters = Chooser(definition, topics.memories, rules), Counter[str](), 0, 0
    with Reader(settings) as reader:
        for span in definition.ranges:
            scan = Scan(definition.job, reader, topics, span.partition)
            try:
                scan.look(definition.filters, span.start, span.end, 0, lambda: None)
                reads = reader.read(topics.memories.name, span.partition, span.start, span.end)
                for batch in batches(reads, _AT_ONCE, chooser, scan, span.start):
                    skipped += batch.skipped
                    memories += len(batch.items)
                    characters += sum(len(item.task.memory.text) for item in batch.items)
            finally:
                scan.close()
    return Estimate(memories, characters, dict(skipped), speed_of(definition, others))


def speed_of(definition: ReplayDefinition, others: list[Job]) -> float | None:
    """Texts a second: what the last job with the same classifier reached in a worker, but no more than its rate."""
    known = [
        job.classified / seconds
        for job in others
        if _same_classifier(job.definition, definition)
        and job.classified
        and (seconds := sum(progress.seconds for progress in job.progress.values()))
    ]
    bounds = [speed for speed in (definition.rate, *known[-1:]) if speed is not None]
    return min(bounds, default=None)


def _same_classifier(one: ReplayDefinition, other: ReplayDefinition) -> bool:
    first, second = one.classifier, other.classifier
    return (first.kind, first.model, first.mode) == (second.kind, second.model, second.mode)
