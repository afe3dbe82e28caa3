"""`hm verify`."""

from pathlib import Path
from typing import Annotated

import typer


def verify(
    sample: Annotated[
        int | None, typer.Option(min=1, help="Compare so many memories by chance, and the counts; else all.")
    ] = None,
    provisional_older_than: Annotated[
        str | None, typer.Option(help="Report what waits for the classifier stream for longer: 90s, 15m, 1h, 2d.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds in which what changes is looked at again.")] = 30.0,
    examples: Annotated[int, typer.Option(min=0, help="How many differences to show one by one.")] = 20,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The service that holds the index; else it is found.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the index.")] = None,
    qdrant_url: Annotated[str | None, typer.Option(metavar="URL", help="The Qdrant server with the index.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the index with the log, beside a running system or without one.

    Exit code 1 where anything differs; what mends it is said.
    """
    from hybrid_memory.dlq.letters import parse_age
    from hybrid_memory.runtime.settings import load_settings
    from hybrid_memory.verify.check import Options
    from hybrid_memory.verify.run import run

    age = None if provisional_older_than is None else parse_age(provisional_older_than).total_seconds()
    qdrant, kafka = {"url": qdrant_url}, {"bootstrap_servers": bootstrap_servers}
    settings = load_settings(data_dir=data_dir, qdrant=qdrant, kafka=kafka)
    raise typer.Exit(run(settings, Options(sample, age, wait, examples), url, as_json))
