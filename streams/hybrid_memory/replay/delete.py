"""Deletes a job with its results. The facts that it wrote stay as they are; nobody can take them back any more."""

from collections.abc import Sequence

from hybrid_memory.replay.job import Job, now
from hybrid_memory.replay.results import drop_results
from hybrid_memory.replay.store import check_left, take_back
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayEvent, ReplayWanted, Standing

_CUT_OFF: dict[Standing, str] = {"promoting": "promote", "reverting": "revert"}


def delete(settings: Settings, job: Job, cluster: Cluster) -> None:
    """Delete a job that has ended: its results first, so that one that was cut off is still there to be deleted.

    Raises:
        Refusal: it has not ended; nothing was changed. Or Kafka will not have it.
        Unavailable: Kafka does not answer; call it again.
    """
    _check_ended(job)
    drop_results(cluster, settings, job.id)
    take_back(settings, _said_of(job), cluster)


def _check_ended(job: Job) -> None:
    if not job.finished and job.wanted != "cancelled":
        raise Refusal(f"replay {job.id} is not done ({job.ratio:.0%}); end it first with: hm replay cancel {job.id}")
    check_left(job)
    if job.outcome is not None and job.outcome.state in _CUT_OFF:
        command = f"hm replay {_CUT_OFF[job.outcome.state]} {job.id}"
        raise Refusal(f"replay {job.id} is {job.outcome.state}; where that was cut off, end it first with: {command}")


def _said_of(job: Job) -> Sequence[ReplayEvent]:
    """One event for each key; the definition first, since without it there is no job."""
    wanted = ReplayWanted(job=job.id, wanted=job.wanted, at=now())
    outcome = [] if job.outcome is None else [job.outcome]
    return [job.definition, wanted, *job.progress.values(), *job.status.values(), *outcome]
