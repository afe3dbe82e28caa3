"""`hm replay diff`, `promote` and `revert`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybrid_memory.schemas.replays import ReplayOutcome

JobName = Annotated[str, typer.Argument(metavar="REPLAY", help="Its id, or enough of its beginning or end.")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port.", metavar="HOST:PORT")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def diff(
    job: JobName,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots to this file.", metavar="FILE")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="Queries by user, to compare what searches find.", metavar="FILE")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=1000, help="How many memories to show.")] = 10,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """What a replay changes: labels before and after, by label, user and search, with examples.

    Example: hm replay diff 3f9a --html report.html
    """
    from hybrid_memory.replay.diff import check_writable, compare, save
    from hybrid_memory.replay.run import asked
    from hybrid_memory.runtime.settings import load_settings

    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    if html is not None:
        check_writable(html)
    with asked():
        found = compare(settings, job, examples, queries)
    if html is not None:
        from hybrid_memory.replay.report.page import page

        save(html, page(found))
    if as_json:
        import json

        from hybrid_memory.replay.comparison import to_program

        typer.echo(json.dumps(to_program(found), indent=2, ensure_ascii=False))
        return
    from hybrid_memory.replay.diff_table import print_comparison

    print_comparison(found)
    if html is not None:
        typer.echo(f"\nreport: {html}")


def promote(
    job: JobName,
    max_churn: Annotated[
        float | None, typer.Option(metavar="PERCENT", help="Refuse (exit code 2) if more memories change than this.")
    ] = None,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Make what a shadow replay found live: facts of its generation. Memories that changed since are left alone.

    Example: hm replay promote 3f9a --max-churn 15
    """
    from hybrid_memory.replay.promote import promote as run
    from hybrid_memory.runtime.settings import load_settings

    _print(run(load_settings(kafka={"bootstrap_servers": bootstrap_servers}), job, max_churn), as_json)


def revert(job: JobName, as_json: AsJson = False, bootstrap_servers: Servers = None) -> None:
    """Bring back what was there before a replay, as facts of a newer generation. Later changes are left alone.

    Example: hm replay revert 3f9a
    """
    from hybrid_memory.replay.revert import revert as run
    from hybrid_memory.runtime.settings import load_settings

    _print(run(load_settings(kafka={"bootstrap_servers": bootstrap_servers}), job), as_json)


def _print(outcome: "ReplayOutcome", as_json: bool) -> None:
    if as_json:
        typer.echo(outcome.model_dump_json(indent=2))
        return
    from hybrid_memory.replay.showing import outcome_told

    typer.echo(f"replay {outcome.job} is {outcome_told(outcome)}")
