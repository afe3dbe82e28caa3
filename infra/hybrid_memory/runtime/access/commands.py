"""`hm keys`."""

from pathlib import Path
from typing import Annotated

import typer

# \b keeps the lines as they are.
_EXAMPLES = """\b
Examples:
  hm keys create agent --all-users            read and write everybody's memories
  hm keys create ada-phone --user ada         those of ada alone
  hm keys create prometheus --all-users --scope admin
  hm keys create guest --user ada --scope read --days 30
  hm keys list
  hm keys revoke 3f9c5a01b7de

Send a key as: Authorization: Bearer KEY, or X-API-Key: KEY
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Make, show and revoke API keys.",
    epilog=_EXAMPLES,
)
File = Annotated[
    Path | None, typer.Option("--file", help="The key file; HM_HTTP__KEYS_FILE or keys.yaml in HM_DATA_DIR otherwise.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog=_EXAMPLES)
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, in a word or two.")],
    user: Annotated[list[str] | None, typer.Option(help="A user whose memories it reaches; may be repeated.")] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="It reaches everybody's memories.")] = False,
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin; may be repeated. Default: read and write.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="It expires after so many days.")] = None,
    file: File = None,
    no_file: Annotated[
        bool, typer.Option("--no-file", help="Write no file; print the setting HM_HTTP__KEYS too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is printed once and kept nowhere: only its hash is."""
    from hybrid_memory.runtime.access.managing import create_key

    typer.echo(create_key(name, user or [], all_users, scope or [], days, None if no_file else file, no_file, as_json))


@app.command("list")
def list_keys(file: File = None, as_json: AsJson = False) -> None:
    """The keys: whose each is, what it may do, and whether it still opens anything."""
    from hybrid_memory.runtime.access.managing import list_keys as shown

    typer.echo(shown(file, as_json))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, or the key itself.")], file: File = None
) -> None:
    """Revoke a key. A running service stops taking it within a second or two."""
    from hybrid_memory.runtime.access.managing import revoke_key

    typer.echo(revoke_key(key_id, file))
