"""A job as the topic `replays` tells of it: definition, what is wanted, progress and status of partitions. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from hybrid_memory.schemas import DecodeError, Record
from hybrid_memory.schemas.replays import (
    ReplayDefinition,
    ReplayEvent,
    ReplayOutcome,
    ReplayProgress,
    ReplayRange,
    ReplayStatus,
    ReplayWanted,
    Wanted,
    decode_replay,
)

SILENT = timedelta(seconds=45)
"""A worker that has said nothing for so long is no longer there."""

JobState = Literal["running", "waiting", "braked", "paused", "cancelled", "done"]
"""`waiting`: it is to run, and no worker is at it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of a job. `progress` and `status` are by partition; a partition nobody has begun has none."""

    definition: ReplayDefinition
    wanted: Wanted = "running"
    progress: dict[int, ReplayProgress] = field(default_factory=dict)
    status: dict[int, ReplayStatus] = field(default_factory=dict)
    outcome: ReplayOutcome | None = None

    @property
    def id(self) -> str:
        return self.definition.job

    @property
    def ranges(self) -> dict[int, ReplayRange]:
        """What is read of each partition."""
        return {span.partition: span for span in self.definition.ranges}

    @property
    def left(self) -> frozenset[int]:
        """The partitions that are not done."""
        return frozenset(number for number in self.ranges if not self.is_done(number))

    @property
    def finished(self) -> bool:
        """Whether all of it is done."""
        return not self.left

    def is_done(self, partition: int) -> bool:
        """Whether the end of this partition's range was reached."""
        return partition in self.progress and self.progress[partition].done

    def position(self, partition: int) -> int:
        """The offset to go on from; all before it is done, and durable."""
        return self.progress[partition].next if partition in self.progress else self.ranges[partition].start

    @property
    def ratio(self) -> float:
        """How much of the log that it reads is behind it: from 0 to 1."""
        whole = sum(span.end - span.start for span in self.ranges.values())
        if self.finished or not whole:
            return 1.0
        behind = sum(min(self.position(at), span.end) - span.start for at, span in self.ranges.items())
        return behind / whole

    @property
    def classified(self) -> int:
        """How many memories were classified."""
        return sum(progress.classified for progress in self.progress.values())

    @property
    def failed(self) -> int:
        """How many of these were left to the rules."""
        return sum(progress.failed for progress in self.progress.values())

    @property
    def skipped(self) -> dict[str, int]:
        """How many records were passed over, by reason."""
        counts: dict[str, int] = {}
        for progress in self.progress.values():
            for reason, count in progress.skipped.items():
                counts[reason] = counts.get(reason, 0) + count
        return counts

    @property
    def skipped_total(self) -> int:
        """How many records were passed over."""
        return sum(self.skipped.values())

    def working(self, now: datetime) -> dict[int, ReplayStatus]:
        """What workers that are still there say of their partitions."""
        return {
            at: said
            for at, said in self.status.items()
            if said.state not in ("left", "braked") and now - said.at < SILENT
        }

    def state(self, now: datetime) -> JobState:
        """What becomes of it."""
        if self.finished:
            return "done"
        if self.wanted != "running":
            return self.wanted
        if self.working(now):
            return "running"
        return "braked" if any(said.state == "braked" for said in self.status.values()) else "waiting"


@dataclass(slots=True)
class Jobs:
    """All jobs after the records that were applied, in the order of a partition."""

    _definitions: dict[str, ReplayDefinition] = field(default_factory=dict)
    _events: dict[str, dict[str, ReplayEvent]] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Take the next record of `replays` into account. One that cannot be read, of a later version say, changes
        nothing."""
        try:
            event = decode_replay(record)
        except DecodeError:
            return
        job, _, rest = (record.key or b"").decode().partition("/")
        if event is None:
            self._events.get(job, {}).pop(rest, None)
        else:
            self._events.setdefault(job, {})[rest] = event

    def get(self, job: str) -> Job | None:
        """The job of this id, where there is one."""
        events = self._events.get(job, {}).values()
        definition = next((event for event in events if isinstance(event, ReplayDefinition)), None)
        return None if definition is None else _assembled(Job(definition), events)

    def all(self) -> list[Job]:
        """All jobs, the oldest first."""
        found = [job for job in map(self.get, self._events) if job is not None]
        return sorted(found, key=lambda job: (job.definition.created, job.id))


def _assembled(job: Job, events: Iterable[ReplayEvent]) -> Job:
    wanted: Wanted = next((event.wanted for event in events if isinstance(event, ReplayWanted)), "running")
    progress = {event.partition: event for event in events if isinstance(event, ReplayProgress)}
    status = {event.partition: event for event in events if isinstance(event, ReplayStatus)}
    outcome = next((event for event in events if isinstance(event, ReplayOutcome)), None)
    return replace(job, wanted=wanted, progress=progress, status=status, outcome=outcome)


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
