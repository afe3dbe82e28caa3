"""`hm demo`."""

from typing import Annotated

import typer


def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """See it all at work, in a minute: Kafka, 17 memories, six searches.

    It runs on a temporary folder and free ports, ends by itself, and leaves nothing behind.

    Example: hm demo
    """
    from hybrid_memory.demo.run import run_demo

    code = run_demo(as_json)
    if code:
        raise typer.Exit(code)
