"""`hm serve`."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless told otherwise.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the index.")] = None,
    qdrant_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A Qdrant server with the index, which hm sink feeds.")
    ] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka, as host:port[,host:port].")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without keys: anybody may do everything.")
    ] = False,
) -> None:
    """Serve the API on port 8765, with the sink inside; with --qdrant-url without one: run hm sink beside it."""
    from hybrid_memory.query.serve import serve as run
    from hybrid_memory.runtime.settings import load_settings

    http = {"host": host, "port": port, "insecure": insecure or None}
    kafka, qdrant = {"bootstrap_servers": bootstrap_servers}, {"url": qdrant_url}
    run(load_settings(data_dir=data_dir, http=http, kafka=kafka, qdrant=qdrant))
