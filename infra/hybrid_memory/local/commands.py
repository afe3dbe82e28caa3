"""Commands: `hm up`, `hm broker install`, `hm broker run`."""

from pathlib import Path
from typing import Annotated

import typer

broker = typer.Typer(
    name="broker",
    no_args_is_help=True,
    add_completion=False,
    help="The embedded Kafka broker: install it, run it alone.",
)

DataDir = Annotated[
    Path | None, typer.Option(help="Folder of all data. Default: HM_DATA_DIR, or the user's data folder.")
]


def up(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="HTTP port; 0 picks a free one.")] = None,
    data_dir: DataDir = None,
    classifier: Annotated[
        str | None,
        typer.Option(metavar="auto|qwen|rules|URL", help="Who makes the better classifiers. Default: what can be had."),
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Use this Kafka; none is started.")
    ] = None,
) -> None:
    """Run everything on this machine: Kafka, the API and the classifier stream, until Ctrl-C.

    Example: hm up --port 8765 --data-dir ./memories
    """
    from hybrid_memory.local.supervisor import GaveUp
    from hybrid_memory.local.up import run_up
    from hybrid_memory.local.up_plan import for_all
    from hybrid_memory.runtime.settings import load_settings

    for_all(bootstrap_servers, classifier)
    http = None if port is None else {"port": port}
    try:
        run_up(load_settings(data_dir=data_dir, http=http), _say)
    except GaveUp as fault:
        typer.echo(f"hm: {fault}", err=True)
        raise typer.Exit(1) from None


@broker.command()
def install(
    repository: Annotated[
        str | None, typer.Option(metavar="URL", help="A Maven repository to use instead of the central one.")
    ] = None,
) -> None:
    """Download Kafka (45 MB), or mend a damaged download.

    Example: hm broker install
    """
    from hybrid_memory.local.kafka_files import install as install_kafka
    from hybrid_memory.local.progress import shown_progress
    from hybrid_memory.runtime.settings import load_settings

    with shown_progress("downloading Kafka") as progress:
        files = install_kafka(load_settings().cache_dir, progress, repository=repository)
    typer.echo(f"Kafka {files.lock.version} is complete in {files.folder}")


@broker.command()
def run(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: the last one, or a free one.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the broker alone, until Ctrl-C; its log is kept in the data folder.

    Example: hm broker run --port 9092
    """
    from hybrid_memory.local.run_broker import run_broker
    from hybrid_memory.runtime.settings import load_settings

    code = run_broker(load_settings(data_dir=data_dir), port, _say)
    if code:
        raise typer.Exit(code)


def _say(line: str) -> None:
    print(line, flush=True)
