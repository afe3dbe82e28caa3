"""`hm rebuild`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hybrid_memory.runtime.settings import Settings

app = typer.Typer(add_completion=False, help="Build the index anew beside the one that serves, and switch over to it.")

DataDir = Annotated[Path | None, typer.Option(help="Folder that holds the index.")]
QdrantUrl = Annotated[str | None, typer.Option(metavar="URL", help="The Qdrant server that holds the index.")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka.", metavar="HOST:PORT")]


@app.callback(invoke_without_command=True)
def rebuild(
    context: typer.Context,
    no_switch: Annotated[bool, typer.Option("--no-switch", help="Only build and compare it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Switch though the two differ.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Build one where there is none: its disk was lost.")] = False,
    data_dir: DataDir = None,
    qdrant_url: QdrantUrl = None,
    bootstrap_servers: Servers = None,
) -> None:
    """Build the index anew from the log, beside the one that serves; compare the two, and switch over.

    Stopped or killed, the next call goes on. For another embedder: give its settings to this command, and afterwards
    to what serves.
    """
    given: dict[str, Any] = {"data_dir": data_dir, "url": qdrant_url, "servers": bootstrap_servers}
    if context.invoked_subcommand is not None:
        if no_switch or force or create or any(value is not None for value in given.values()):
            raise typer.BadParameter(f"options stand behind the command: hm rebuild {context.invoked_subcommand} …")
        return
    import os

    from hybrid_memory.rebuild.run import Options
    from hybrid_memory.rebuild.run import rebuild as run

    if hasattr(os, "nice"):
        os.nice(10)  # what serves comes first
    raise typer.Exit(run(_settings(**given), Options(not no_switch, force, create)))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data_dir: DataDir = None,
    qdrant_url: QdrantUrl = None,
    bootstrap_servers: Servers = None,
) -> None:
    """The index that serves, the next one where it was begun, and the one that is kept."""
    from hybrid_memory.rebuild.others import standings
    from hybrid_memory.rebuild.showing import print_standings

    print_standings(standings(_settings(data_dir, qdrant_url, bootstrap_servers)), as_json)


@app.command()
def back(data_dir: DataDir = None, qdrant_url: QdrantUrl = None, bootstrap_servers: Servers = None) -> None:
    """Go back to the index that served before. It catches up by itself."""
    from hybrid_memory.rebuild.others import back as run

    typer.echo(run(_settings(data_dir, qdrant_url, bootstrap_servers)))


@app.command()
def drop(data_dir: DataDir = None, qdrant_url: QdrantUrl = None, bootstrap_servers: Servers = None) -> None:
    """Delete the index that served before; or, where there is none, the one that was begun."""
    from hybrid_memory.rebuild.others import drop as run

    typer.echo(run(_settings(data_dir, qdrant_url, bootstrap_servers)))


def _settings(data_dir: Path | None, url: str | None, servers: str | None) -> "Settings":
    from hybrid_memory.runtime.settings import load_settings

    return load_settings(data_dir=data_dir, qdrant={"url": url}, kafka={"bootstrap_servers": servers})
