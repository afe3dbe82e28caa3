"""`hm dlq`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybrid_memory.dlq.run import Choice

app = typer.Typer(no_args_is_help=True, add_completion=False, help="See, mend, redrive and drop dead letters.")

Refs = Annotated[list[str] | None, typer.Argument(metavar="TOPIC:PARTITION:OFFSET…", help="Letters, one by one.")]
Topic = Annotated[str | None, typer.Option(help="A dead-letter topic, ours or not; ours if none is said.")]
ErrorClass = Annotated[str | None, typer.Option("--class", help="poison, schema, policy, limit, or an exception.")]
Stage = Annotated[str | None, typer.Option(help="The step that failed, say sink.")]
OlderThan = Annotated[str | None, typer.Option(help="Failed longer ago than 90s, 15m, 1h, 2d or 3w.")]
All = Annotated[bool, typer.Option("--all", help="All letters.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port.", metavar="HOST:PORT")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_letters(
    topic: Topic = None,
    error_class: ErrorClass = None,
    stage: Stage = None,
    older_than: OlderThan = None,
    limit: Annotated[int, typer.Option(min=0, help="How many to show one by one.")] = 20,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """What is dead: counted by topic, class, stage and age, and the last ones one by one."""
    from datetime import UTC, datetime

    from hybrid_memory.dlq.choosing import by_filter
    from hybrid_memory.dlq.reading import Log
    from hybrid_memory.dlq.showing import print_list
    from hybrid_memory.runtime.settings import load_settings

    wanted = _choice([], True, topic, error_class, stage, older_than).wanted
    log = Log(load_settings(kafka={"bootstrap_servers": bootstrap_servers}))
    letters = [letter for shelf in by_filter(log, topic, wanted, keep_values=False) for letter in shelf.chosen]
    letters.sort(key=lambda letter: (letter.failed_at, letter.ref))
    print_list(letters, limit, datetime.now(UTC), as_json)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(metavar="TOPIC:PARTITION:OFFSET", help="As hm dlq list shows it.")],
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """All of one letter: why it died, the stack, its headers and its value."""
    from datetime import UTC, datetime

    from hybrid_memory.dlq.choosing import one
    from hybrid_memory.dlq.reading import Log
    from hybrid_memory.dlq.showing import print_letter
    from hybrid_memory.runtime.settings import load_settings

    log = Log(load_settings(kafka={"bootstrap_servers": bootstrap_servers}))
    print_letter(one(log, ref), datetime.now(UTC), as_json)


@app.command()
def redrive(
    refs: Refs = None,
    everything: All = False,
    topic: Topic = None,
    error_class: ErrorClass = None,
    stage: Stage = None,
    older_than: OlderThan = None,
    edit: Annotated[bool, typer.Option("--edit", help="Open the value of one letter in $EDITOR first.")] = False,
    to: Annotated[str | None, typer.Option(help="For letters of others: append to this topic instead.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="At most so many a second.")] = None,
    max_redrives: Annotated[int, typer.Option(min=1, help="What was tried so often stays.")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Append letters to where they came from, and drop them. Nothing newer is ever overwritten.

    Exit code 1 where some had to stay.
    """
    from hybrid_memory.dlq.run import Redrive
    from hybrid_memory.dlq.run import redrive as run
    from hybrid_memory.runtime.settings import load_settings

    choice = _choice(refs or [], everything, topic, error_class, stage, older_than)
    options = Redrive(edit, dry_run, yes, as_json, rate, max_redrives, to)
    raise typer.Exit(run(load_settings(kafka={"bootstrap_servers": bootstrap_servers}), choice, options))


@app.command()
def drop(
    reason: Annotated[str, typer.Option(help="Why; it stays in the topic.")],
    refs: Refs = None,
    everything: All = False,
    topic: Topic = None,
    error_class: ErrorClass = None,
    stage: Stage = None,
    older_than: OlderThan = None,
    yes: Yes = False,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Drop letters for good: a null under the key of each, with the reason."""
    from hybrid_memory.dlq.run import drop as run
    from hybrid_memory.runtime.settings import load_settings

    choice = _choice(refs or [], everything, topic, error_class, stage, older_than)
    run(load_settings(kafka={"bootstrap_servers": bootstrap_servers}), choice, reason, yes, as_json)


def _choice(
    refs: list[str],
    everything: bool,
    topic: str | None,
    error_class: str | None,
    stage: str | None,
    older_than: str | None,
) -> "Choice":
    from hybrid_memory.dlq.letters import Filter, parse_age
    from hybrid_memory.dlq.run import Choice

    age = None if older_than is None else parse_age(older_than)
    return Choice(refs, everything, topic, Filter(error_class, stage, age))
