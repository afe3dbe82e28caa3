"""Makes the results of a shadow replay the facts of its generation."""

from collections.abc import Sequence

from hybrid_memory.classifier.choose import rule_classifier
from hybrid_memory.replay.before import changes
from hybrid_memory.replay.churn import count
from hybrid_memory.replay.emit import Emission, emit, same_log
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.results import read_results
from hybrid_memory.replay.run import asked
from hybrid_memory.replay.scan import own_source
from hybrid_memory.replay.standing import promotes
from hybrid_memory.replay.store import find_job
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MemoryClassified
from hybrid_memory.schemas.replays import ReplayOutcome, ReplayResult


def promote(settings: Settings, name: str, max_churn: float | None = None) -> ReplayOutcome:
    """Emit what a shadow job found, where it still holds; with `max_churn`, only if it changes at most so many percent.

    May be called again: after a cut it goes on, and after its end it finds everything there.

    Raises:
        Refusal: there is nothing to promote, or the churn is higher; nothing was emitted.
        Unavailable: Kafka is away; call it again.
    """
    if max_churn is not None and not 0 <= max_churn <= 100:
        raise Refusal(f"--max-churn takes percent, from 0 to 100, not {max_churn:g}")
    with asked():
        log = Log(settings)
        job = find_job(settings, name, log.cluster)
        _check(job)
        topics = same_log(log, job)
        if max_churn is not None:
            _gate(log, job, max_churn)

    def facts_of(results: Sequence[ReplayResult]) -> list[MemoryClassified]:
        return [result.fact for result in results]

    what = Emission(promotes, facts_of, job.definition.generation, own_source(job.id), "promoting", "promoted")
    return emit(log, job, topics, what)


def _check(job: Job) -> None:
    if not job.definition.shadow:
        raise Refusal(f"replay {job.id} is no shadow: what it finds is live already")
    if job.outcome is not None and job.outcome.state in ("reverting", "reverted"):
        raise Refusal(f"replay {job.id} was reverted; start another to classify again")
    if not job.finished:
        raise Refusal(f"replay {job.id} is not done ({job.ratio:.0%}); finish it with: hm replay work {job.id}")


def _gate(log: Log, job: Job, most: float) -> None:
    rules = rule_classifier(log.settings)
    churn = count(changes(read_results(log.settings, job.id, log.cluster), rules))
    if churn.percent > most:
        raise Refusal(
            f"replay {job.id} changes {churn.percent:.2f} % of its memories ({churn.changed:,} of {churn.memories:,}), "
            f"more than the {most:g} % of --max-churn; nothing was promoted. See hm replay diff {job.id}"
        )
