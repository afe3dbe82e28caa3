"""The Typer program `hm`: its own options, and commands found by entry point."""

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.main import get_command

from hybrid_memory.cli.discovery import DiscoveredCommands

# \b keeps the lines as they are.
_EXAMPLES = """\b
Examples:
  hm demo                       see it all at work, in a minute
  hm up                         run everything on this machine
  hm publish memories.jsonl     put memories onto the log
  hm up --help                  what a command can do
"""


def make_program() -> Any:
    """The program, to be called with `args` and `prog_name`. A command is imported when it is used or listed."""
    # Plain help here, rich help in the commands: importing the rich one costs a third of a second.
    app = typer.Typer(
        name="hm",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        epilog=_EXAMPLES,
    )
    app.callback()(_hm)
    program: Any = get_command(app)
    program.commands = DiscoveredCommands()
    return program


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hm {version('hybrid-memory')}")
        raise typer.Exit


def _hm(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (first option only).")] = False,
) -> None:
    """A memory system for AI agents on Kafka."""
