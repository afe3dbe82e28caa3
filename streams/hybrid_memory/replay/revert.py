"""Brings back what was there before a replay, as facts of a newer generation."""

from collections.abc import Sequence

from hybrid_memory.classifier.choose import rule_classifier
from hybrid_memory.replay.before import restored
from hybrid_memory.replay.emit import Emission, emit, same_log
from hybrid_memory.replay.generations import next_generation
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.run import asked
from hybrid_memory.replay.scan import own_source
from hybrid_memory.replay.standing import reverts_to
from hybrid_memory.replay.store import check_left, find_job
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MemoryClassified
from hybrid_memory.schemas.replays import ReplayOutcome, ReplayResult


def revert(settings: Settings, name: str) -> ReplayOutcome:
    """Emit what each memory had before, where it still shows what the job found; the rules' answer where it had none.

    May be called again: after a cut it goes on with the same generation, and after its end it finds everything there.

    Raises:
        Refusal: there is nothing to revert, or the job still runs; nothing was emitted.
        Unavailable: Kafka is away; call it again.
    """
    with asked():
        log = Log(settings)
        job = find_job(settings, name, log.cluster)
        _check(job)
        topics = same_log(log, job)
        rules = rule_classifier(settings)
        generation = _begun(job) or next_generation(log, topics.facts)

    def facts_of(results: Sequence[ReplayResult]) -> list[MemoryClassified]:
        return restored(results, rules, generation)

    source = f"{own_source(job.id)}:reverted"
    return emit(
        log, job, topics, Emission(reverts_to(generation), facts_of, generation, source, "reverting", "reverted")
    )


def _begun(job: Job) -> int | None:
    """The generation of a reversion that was begun before."""
    outcome = job.outcome
    return outcome.generation if outcome is not None and outcome.state in ("reverting", "reverted") else None


def _check(job: Job) -> None:
    if job.definition.shadow and job.outcome is None:
        raise Refusal(f"replay {job.id} is a shadow that was never promoted; there is nothing to revert")
    if not job.finished and job.wanted != "cancelled":
        raise Refusal(f"replay {job.id} is not done ({job.ratio:.0%}); let it finish, or: hm replay cancel {job.id}")
    if not job.finished:
        check_left(job)
