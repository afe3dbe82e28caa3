"""`hm publish`."""

from typing import Annotated

import typer


def publish(
    file: Annotated[str, typer.Argument(help="JSON lines, a memory each; - is standard input.")] = "-",
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Where Kafka is.", metavar="HOST:PORT", show_envvar=False)
    ] = None,
    user_id: Annotated[str | None, typer.Option(help="Whose memory a line is that has no user_id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Publish memories from a file or a pipe.

    A line is {"user_id": …, "text": …} with any further field of a memory, or
    {"user_id": …, "memory_id": …, "deleted": true}. A bad line is reported, and the rest goes on.
    """
    from hybrid_memory.client.publish_command import run

    raise typer.Exit(run(file, bootstrap_servers, user_id, as_json))
