"""`hm mem0 tail`."""

from pathlib import Path
from typing import Annotated

import typer


def tail(
    history_db: Annotated[Path, typer.Argument(help="Mem0's history_db_path.", metavar="HISTORY_DB")],
    name: Annotated[str | None, typer.Option(help="What tells this Mem0 from others in the same log.")] = None,
    collection: Annotated[str | None, typer.Option(help="Mem0's collection in Qdrant.")] = None,
    qdrant_url: Annotated[str | None, typer.Option(help="Where that Qdrant is.", metavar="URL")] = None,
    once: Annotated[bool, typer.Option("--once", help="End when all is published that there is now.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka, as host:port.", metavar="HOST:PORT")] = None,
) -> None:
    """Follow an open-source Mem0 that is left as it is: its history file, joined with its collection in Qdrant.

    The first time, all that it has is published. Where it left off is kept in Kafka, so any machine may go on.

    Example: hm mem0 tail ~/.mem0/history.db --qdrant-url http://qdrant:6333
    """
    from hybrid_memory.mem0.oss.tail_command import run
    from hybrid_memory.runtime.settings import load_settings

    oss = {"name": name, "collection": collection, "qdrant_url": qdrant_url}
    run(load_settings(kafka={"bootstrap_servers": bootstrap_servers}, mem0={"oss": oss}), history_db, once, as_json)
