"""`hm topics` and `hm config`."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from hybrid_memory.runtime.console import make_console

topics = typer.Typer(no_args_is_help=True, add_completion=False, help="Make and show the topics.")
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port.", metavar="HOST:PORT")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@topics.command()
def apply(bootstrap_servers: Servers = None, as_json: AsJson = False) -> None:
    """Make the topics that are missing, and mend the settings of the others."""
    from hybrid_memory.runtime.settings import load_settings
    from hybrid_memory.runtime.topics import apply_topics

    applied = apply_topics(load_settings(kafka={"bootstrap_servers": bootstrap_servers}))
    rows = [{"topic": topic.name, "partitions": topic.partitions, "outcome": topic.outcome} for topic in applied]
    _print(rows, as_json)


@topics.command("list")
def list_topics(bootstrap_servers: Servers = None, as_json: AsJson = False) -> None:
    """The topics of the registry, and what the cluster has of each."""
    from hybrid_memory.runtime.kafka import Cluster
    from hybrid_memory.runtime.settings import load_settings
    from hybrid_memory.schemas.registry import load_registry

    settings = load_settings(kafka={"bootstrap_servers": bootstrap_servers})
    cluster = Cluster(settings)
    names = [settings.topic_prefix + spec.name for spec in load_registry() if spec.one_for_each is None]
    found = cluster.topics(names)
    rows = []
    for name in names:
        info = found.get(name)
        records = None if info is None else sum(cluster.ends(info).values()) - sum(cluster.starts(info).values())
        rows.append(
            {
                "topic": name,
                "id": "missing: hm topics apply" if info is None else info.topic_id,
                "partitions": None if info is None else info.partitions,
                "records, with gaps": records,
            }
        )
    _print(rows, as_json)


def config(as_json: AsJson = False) -> None:
    """Every setting with its value and where it came from; secrets hidden."""
    from hybrid_memory.runtime.settings import effective, load_settings

    rows = [{"setting": name, "value": value, "from": origin} for name, value, origin in effective(load_settings())]
    _print(rows, as_json)


def _print(rows: Sequence[Mapping[str, object]], as_json: bool) -> None:
    import json

    from rich.markup import escape
    from rich.table import Table

    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(rows[0]):
        table.add_column(column, overflow="fold", no_wrap=number == 0)  # a name in two pieces is found by nobody
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    make_console().print(table)
