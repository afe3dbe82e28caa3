"""Which generation of facts is the present one, and which the next: seen on the log, not believed."""

from hybrid_memory.replay.store import load_jobs
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.reading import Log
from hybrid_memory.schemas import Record, split_fact_key


def present_generation(log: Log, facts: TopicInfo) -> int:
    """The highest generation that a fact has, or that the settings say.

    Reads the keys of all facts: some ten seconds for a million.

    Raises:
        Unavailable: Kafka does not answer.
    """
    return max(log.settings.classifier.generation, _highest(log, facts))


def next_generation(log: Log, facts: TopicInfo) -> int:
    """One that neither a fact nor a job has, shadows and reversions included. Raises as `present_generation`."""
    jobs = load_jobs(log.settings, log.cluster)
    promised = [job.definition.generation for job in jobs]
    taken_back = [job.outcome.generation for job in jobs if job.outcome is not None]
    return max([present_generation(log, facts), *promised, *taken_back]) + 1


def check_above_all(log: Log, facts: TopicInfo, generation: int) -> None:
    """Refuse a generation that a fact has already, or a higher one: what is found would lose against that one.

    Raises:
        Refusal: it is not above all.
        Unavailable: Kafka does not answer.
    """
    if generation <= (highest := _highest(log, facts)):
        raise Refusal(
            f"{facts.name} holds facts of generation {highest} already, and those of generation {generation} would "
            "lose against them; leave the generation out for the next one, or ask only for what is stale"
        )


def _highest(log: Log, facts: TopicInfo) -> int:
    return max((_generation(record) for record in log.read(facts, log.whole(facts))), default=0)


def _generation(record: Record) -> int:
    try:
        return split_fact_key((record.key or b"").decode())[2]
    except ValueError:
        return 0
