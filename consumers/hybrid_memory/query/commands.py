"""`hm serve`."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless told otherwise.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the index.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka, as host:port[,host:port].")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without keys: anybody may do everything.")
    ] = False,
) -> None:
    """Serve the API on port 8765, with the sink inside."""
    from hybrid_memory.query.serve import serve as run
    from hybrid_memory.runtime.settings import load_settings

    http = {"host": host, "port": port, "insecure": insecure or None}
    run(load_settings(data_dir=data_dir, http=http, kafka={"bootstrap_servers": bootstrap_servers}))
