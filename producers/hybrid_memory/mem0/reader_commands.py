"""`hm mem0 follow` and `hm mem0 sync`."""

from typing import Annotated

import typer

Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port.", metavar="HOST:PORT")]


def follow(bootstrap_servers: Servers = None) -> None:
    """Follow the event feed of Mem0's platform: a hint for every event, which hm mem0 publish follows.

    It begins where the last one left off, on whatever machine; the first time, at the end of the feed.
    """
    from hybrid_memory.mem0.follow import follow as run
    from hybrid_memory.runtime.ending import stopped_when_told
    from hybrid_memory.runtime.logs import configure_logs
    from hybrid_memory.runtime.settings import load_settings

    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    configure_logs(settings.log)
    with stopped_when_told() as stop:
        run(settings, stop)


def sync(
    user: Annotated[list[str] | None, typer.Option(help="Only this user of Mem0; may be said again.")] = None,
    classify: Annotated[
        bool, typer.Option("--classify", help="Have the service at CLASSIFIER_SERVICE_URL classify what is new.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what differs, and change nothing.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many differences --dry-run shows.")] = 50,
    watch: Annotated[
        str | None, typer.Option(metavar="INTERVAL", help="Again and again, so far apart: 30s, 10m, 6h or 1d.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", help="Follow the hints at once, or leave them to hm mem0 publish.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a round.")] = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Compare all that Mem0's platform has with the log, and mend what is missing, different or gone.

    The first time, this is the import. Stopped halfway, it finds only the rest when it is run again.

    Example: hm mem0 sync --dry-run
    """
    from hybrid_memory.mem0.sync import SyncRequest
    from hybrid_memory.mem0.sync_command import Manner, parse_interval, run
    from hybrid_memory.runtime.settings import load_settings

    interval = parse_interval(watch) if watch is not None else None
    request = SyncRequest(tuple(user) if user else None, classify, dry_run)
    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    code = run(settings, request, Manner(interval, publish, limit, as_json))
    if code:
        raise typer.Exit(code)
