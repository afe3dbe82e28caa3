"""`hm replay`."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid_memory.replay.compare_commands import diff, promote, revert

if TYPE_CHECKING:
    from hybrid_memory.replay.job import Job
    from hybrid_memory.replay.starting import ReplayRequest
    from hybrid_memory.runtime.settings import Settings
    from hybrid_memory.schemas.replays import Wanted

app = typer.Typer(
    name="replay",
    no_args_is_help=True,
    add_completion=False,
    help="Classify again what the log holds; compare, revert.",
)

JobName = Annotated[str, typer.Argument(metavar="REPLAY", help="Its id, or enough of its beginning or end.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port.", metavar="HOST:PORT")]
_Times = typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


@app.command()
def start(
    user: Annotated[list[str] | None, typer.Option(help="Only memories of this user; may be said again.")] = None,
    since: Annotated[datetime | None, _Times] = None,
    until: Annotated[datetime | None, _Times] = None,
    partition: Annotated[list[int] | None, typer.Option(min=0, help="Only this partition.")] = None,
    from_offset: Annotated[list[str] | None, typer.Option(metavar="PARTITION:OFFSET", help="Begin here.")] = None,
    to_offset: Annotated[list[str] | None, typer.Option(metavar="PARTITION:OFFSET", help="Stop before this.")] = None,
    stale: Annotated[bool, typer.Option("--stale", help="Only what has no fact of the generation.")] = False,
    label: Annotated[list[str] | None, typer.Option(help="Only memories that have this classifier now.")] = None,
    source: Annotated[list[str] | None, typer.Option(metavar="rules|llm", help="Only what these classified.")] = None,
    classifier: Annotated[str | None, typer.Option(metavar="auto|qwen|rules|URL", help="Who classifies.")] = None,
    model: Annotated[str | None, typer.Option(help="A folder with weights, or a model hub's name for them.")] = None,
    mode: Annotated[str | None, typer.Option(metavar="open|taxonomy", help="Free phrases, or labels.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="Labels, as YAML.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="A prompt, as YAML.")] = None,
    generation: Annotated[
        int | None, typer.Option(min=1, help="Of the facts; above all there are, but with --stale. Default: the next.")
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Keep what is found, and write no facts.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.01, help="At most so many memories a second.")] = None,
    yield_to_live: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Wait while the live stream is more than N records behind.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count and estimate, and change nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Only make it; hm replay work does it.")] = False,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Classify memories again, up to where the log ends now, and write facts of a new generation.

    Example: hm replay start --taxonomy new.yaml --shadow
    """
    from hybrid_memory.replay.request import request_of
    from hybrid_memory.runtime.settings import load_settings

    settings = load_settings(
        classifier={"kind": classifier, "model": model, "mode": mode, "taxonomy": taxonomy, "prompt": prompt},
        kafka={"bootstrap_servers": bootstrap_servers},
    )
    request = request_of(
        users=user, since=since, until=until, partitions=partition, first=from_offset, last=to_offset, stale=stale,
        labels=label, sources=source, generation=generation, shadow=shadow, rate=rate, yield_to_live=yield_to_live,
    )  # fmt: skip
    if dry_run:
        _estimate(settings, request, as_json)
    elif detach:
        _detach(settings, request, as_json)
    else:
        from hybrid_memory.replay.run import as_program
        from hybrid_memory.replay.run import start as run

        as_program(settings)
        _print(run(settings, request), as_json)


@app.command()
def work(
    replay: Annotated[
        str | None, typer.Argument(metavar="REPLAY", help="Its id, or enough of its beginning or end.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every replay that is to run, until stopped.")] = False,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Work on a replay until it is done, together with all who do so; or on all that there ever are.

    Exit code 1 where it was stopped, or cancelled.
    """
    from hybrid_memory.replay.run import as_program, work_on_all
    from hybrid_memory.replay.run import work as run
    from hybrid_memory.runtime.errors import Refusal
    from hybrid_memory.runtime.settings import load_settings

    if (replay is None) != everything:
        raise Refusal("say which replay, as hm replay list shows it, or --all")
    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    as_program(settings)
    if replay is None:
        work_on_all(settings)
    else:
        _print(run(settings, replay), as_json)


@app.command("list")
def list_replays(as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """All replays, the oldest first."""
    from hybrid_memory.replay.job import now
    from hybrid_memory.replay.run import asked
    from hybrid_memory.replay.showing import print_jobs
    from hybrid_memory.replay.store import load_jobs
    from hybrid_memory.runtime.settings import load_settings

    with asked():
        jobs = load_jobs(load_settings(kafka={"bootstrap_servers": bootstrap_servers}))
    print_jobs(jobs, now(), as_json)


@app.command()
def show(replay: JobName, as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """All of one replay: what was asked for, how far it is, and who works on it."""
    from hybrid_memory.replay.job import now
    from hybrid_memory.replay.run import asked
    from hybrid_memory.replay.showing import print_job
    from hybrid_memory.replay.store import find_job
    from hybrid_memory.runtime.settings import load_settings

    with asked():
        job = find_job(load_settings(kafka={"bootstrap_servers": bootstrap_servers}), replay)
    print_job(job, now(), as_json)


@app.command()
def pause(replay: JobName, as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """Have its workers wait, after the batch that they have begun."""
    _want(replay, "paused", as_json, bootstrap_servers)


@app.command()
def resume(replay: JobName, as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """Have its workers go on."""
    _want(replay, "running", as_json, bootstrap_servers)


@app.command()
def cancel(replay: JobName, as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """End it for good. What it has done stays: hm replay revert takes it back."""
    _want(replay, "cancelled", as_json, bootstrap_servers)


@app.command()
def delete(replay: JobName, as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """Delete one that has ended, and what it found. Its facts stay, and cannot be taken back any more."""
    from hybrid_memory.replay.delete import delete as run
    from hybrid_memory.replay.run import asked
    from hybrid_memory.replay.store import find_job
    from hybrid_memory.runtime.reading import Log
    from hybrid_memory.runtime.settings import load_settings

    with asked():
        log = Log(load_settings(kafka={"bootstrap_servers": bootstrap_servers}))
        job = find_job(log.settings, replay, log.cluster)
    run(log.settings, job, log.cluster)
    typer.echo(
        json.dumps({"deleted": job.id}) if as_json else f"replay {job.id} is deleted; the facts that it wrote stay"
    )


app.command()(diff)
app.command()(promote)
app.command()(revert)


def _want(replay: str, wanted: "Wanted", as_json: bool, bootstrap_servers: str | None) -> None:
    from hybrid_memory.replay.job import now
    from hybrid_memory.replay.run import asked
    from hybrid_memory.replay.showing import print_job
    from hybrid_memory.replay.store import find_job, want
    from hybrid_memory.runtime.settings import load_settings

    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    with asked():
        want(settings, find_job(settings, replay), wanted)
        job = find_job(settings, replay)
    print_job(job, now(), as_json)


def _estimate(settings: "Settings", request: "ReplayRequest", as_json: bool) -> None:
    from hybrid_memory.classifier.choose import rule_classifier
    from hybrid_memory.replay.estimate import estimate
    from hybrid_memory.replay.run import asked
    from hybrid_memory.replay.showing import print_estimate
    from hybrid_memory.replay.starting import define, topics_of
    from hybrid_memory.replay.store import load_jobs
    from hybrid_memory.runtime.reading import Log

    with asked():
        log = Log(settings)
        definition = define(log, request)
        others = load_jobs(settings, log.cluster)
        found = estimate(settings, definition, topics_of(log), rule_classifier(settings), others)
    print_estimate(definition, found, as_json)


def _detach(settings: "Settings", request: "ReplayRequest", as_json: bool) -> None:
    from hybrid_memory.replay.job import now
    from hybrid_memory.replay.run import asked
    from hybrid_memory.replay.showing import print_job
    from hybrid_memory.replay.starting import start_replay

    with asked():
        job = start_replay(settings, request)
    print_job(job, now(), as_json)


def _print(job: "Job", as_json: bool) -> None:
    from hybrid_memory.replay.job import now
    from hybrid_memory.replay.showing import print_job

    print_job(job, now(), as_json)
    if not job.finished:
        raise typer.Exit(1)
