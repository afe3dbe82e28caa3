"""Jobs for people and for programs: tables and JSON."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_memory.replay.display import duration
from hybrid_memory.replay.estimate import Estimate
from hybrid_memory.replay.job import Job
from hybrid_memory.runtime.console import make_console
from hybrid_memory.schemas.replays import ReplayDefinition, ReplayFilters, ReplayOutcome

_WRAPPED = ("meant", "says", "")
"""The columns of long texts; the others are never cut in two."""


def as_dict(job: Job, now: datetime) -> dict[str, Any]:
    """A job as JSON: its definition, what is wanted, what has become of it, and each partition."""
    definition = job.definition.model_dump(mode="json", exclude_none=True, exclude={"ranges", "classifier"})
    said = job.definition.classifier
    versions = {"taxonomy": said.taxonomy and said.taxonomy.version, "prompt": said.prompt and said.prompt.version}
    return {
        **definition,
        "classifier": {**said.model_dump(mode="json", exclude={"taxonomy", "prompt"}), **versions},
        "state": job.state(now),
        "wanted": job.wanted,
        "ratio": round(job.ratio, 4),
        "classified": job.classified,
        "failed": job.failed,
        "skipped": job.skipped,
        "outcome": None if job.outcome is None else job.outcome.model_dump(mode="json", exclude={"job"}),
        "partitions": [_partition(job, number) for number in sorted(job.ranges)],
    }


def print_jobs(jobs: Sequence[Job], now: datetime, as_json: bool) -> None:
    """All jobs."""
    if as_json:
        print(json.dumps({"replays": [as_dict(job, now) for job in jobs]}, indent=2))
        return
    if not jobs:
        print("no replays; hm replay start makes one")
        return
    table = _table("replay", "state", "done", "classified", "generation", "classifier", "meant")
    for job in jobs:
        definition = job.definition
        meant = ("shadow; " if definition.shadow else "") + told(definition.filters)
        generation, ratio = str(definition.generation), f"{job.ratio:.0%}"
        kind = "server" if "://" in definition.classifier.kind else definition.classifier.kind  # a URL takes the room
        state = job.outcome.state if job.outcome else job.state(now)
        cells = (job.id, state, ratio, f"{job.classified:,}", generation, kind, meant)
        table.add_row(*map(Text, cells))
    make_console().print(table)


def print_job(job: Job, now: datetime, as_json: bool) -> None:
    """All of one job."""
    if as_json:
        print(json.dumps(as_dict(job, now), indent=2))
        return
    definition, console = job.definition, make_console()
    table = _table("", "")
    table.show_header = False
    for name, value in (
        ("replay", job.id),
        ("state", _state(job, now)),
        ("made", f"{definition.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("meant", told(definition.filters)),
        ("classifier", _classifier(definition)),
        (
            "generation",
            f"{definition.generation}{', shadow: nothing is written to the facts' if definition.shadow else ''}",
        ),
        ("done", f"{job.ratio:.1%}"),
        ("classified", f"{job.classified:,}" + (f", {job.failed:,} left to the rules" if job.failed else "")),
        ("outcome", _outcome(job)),
        ("passed over", ", ".join(f"{count:,} {reason}" for reason, count in sorted(job.skipped.items())) or "nothing"),
    ):
        if value:
            table.add_row(name, Text(value))
    console.print(table)
    console.print()
    table = _table("partition", "from", "to", "at", "", "worker", "says")
    for number, span in sorted(job.ranges.items()):
        status = job.working(now).get(number) or job.status.get(number)
        said = ": ".join(filter(None, (status.state, status.reason))) if status and not job.is_done(number) else ""
        state = "done" if job.is_done(number) else f"{_ratio(job, number):.0%}"
        cells = (str(number), f"{span.start:,}", f"{span.end:,}", f"{job.position(number):,}", state)
        table.add_row(*cells, Text(status.worker if status else ""), Text(said))
    console.print(table)


def print_estimate(definition: ReplayDefinition, found: Estimate, as_json: bool) -> None:
    """What a job would do."""
    if as_json:
        said = {
            "generation": definition.generation,
            "memories": found.memories,
            "characters": found.characters,
            "skipped": found.skipped,
            "texts_per_second": found.speed,
            "seconds": found.seconds,
        }
        print(json.dumps(said, indent=2))
        return
    what = f"{found.memories:,} memories of {found.characters:,} characters"
    print(f"{what} would be classified, generation {definition.generation}")
    for reason, count in sorted(found.skipped.items()):
        print(f"{count:,} records would be passed over: {reason}")
    if found.speed is None:
        print("how long that takes is not known: no replay with this classifier has run yet")
    else:
        print(f"one worker takes {duration(found.seconds)} at {found.speed:,.1f} texts a second")


def told(filters: ReplayFilters) -> str:
    """Filters in words."""
    parts = [
        f"{len(filters.keys):,} memories by key" if filters.keys else "",
        f"users {', '.join(filters.users)}" if filters.users else "",
        f"since {filters.since:%Y-%m-%d %H:%M}" if filters.since else "",
        f"until {filters.until:%Y-%m-%d %H:%M}" if filters.until else "",
        "stale ones" if filters.stale else "",
        f"labels {', '.join(filters.labels)}" if filters.labels else "",
        f"classified by {' or '.join(filters.sources)}" if filters.sources else "",
    ]
    return "; ".join(filter(None, parts)) or "all"


def outcome_told(outcome: ReplayOutcome) -> str:
    """What became of a job's results, in words."""
    if outcome.state in ("promoting", "reverting"):
        return f"{outcome.state} since {outcome.at:%Y-%m-%d %H:%M} UTC; where it was cut off, call it again"
    left = "; ".join(f"{count:,} {reason}" for reason, count in sorted(outcome.left.items()))
    facts = f"{outcome.emitted:,} fact{'' if outcome.emitted == 1 else 's'} of generation {outcome.generation}"
    return f"{outcome.state}: {facts}" + (f"; left alone: {left}" if left else "")


def _state(job: Job, now: datetime) -> str:
    state = job.state(now)
    return f"waiting for a worker: hm replay work {job.id}" if state == "waiting" else state


def _outcome(job: Job) -> str:
    if job.outcome is not None:
        return outcome_told(job.outcome)
    return f"none yet; see hm replay diff {job.id}" if job.definition.shadow else ""


def _classifier(definition: ReplayDefinition) -> str:
    said = definition.classifier
    files = [
        f"taxonomy {said.taxonomy.version}" if said.taxonomy else "",
        f"prompt {said.prompt.version}" if said.prompt else "",
    ]
    model = said.model if said.kind != "rules" else ""
    return ", ".join(filter(None, [said.kind, model, *files]))


def _partition(job: Job, number: int) -> dict[str, Any]:
    span, status, progress = job.ranges[number], job.status.get(number), job.progress.get(number)
    return {
        "partition": number,
        "start": span.start,
        "end": span.end,
        "next": job.position(number),
        "done": job.is_done(number),
        "classified": progress.classified if progress else 0,
        "worker": status.worker if status else None,
        "status": status.state if status else None,
        "reason": status.reason if status else None,
        "at": status.at.isoformat(timespec="milliseconds") if status else None,
    }


def _ratio(job: Job, number: int) -> float:
    span = job.ranges[number]
    return (job.position(number) - span.start) / max(1, span.end - span.start)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in _WRAPPED)
    return table
