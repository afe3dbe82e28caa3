"""`hm index`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The index on this machine.")


@app.callback()
def _index() -> None:
    """The index on this machine."""


@app.command()
def reset(data_dir: Annotated[Path | None, typer.Option(help="Folder that holds it.")] = None) -> None:
    """Set the index aside, so that the next `hm serve` builds it anew from the log. Nothing is lost."""
    from hybrid_memory.index.reset import set_aside
    from hybrid_memory.runtime.settings import load_settings

    typer.echo(set_aside(load_settings(data_dir=data_dir)))
