"""`hm sink`."""

from typing import Annotated

import typer


def sink(
    qdrant_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The Qdrant server that holds the index.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the probes and metrics.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless told otherwise.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")] = None,
) -> None:
    """Keep the index on a Qdrant server equal to the log, until stopped. Several share the partitions.

    Example: hm sink --qdrant-url http://127.0.0.1:6333
    """
    from hybrid_memory.runtime.settings import load_settings
    from hybrid_memory.sink.serve import serve

    probes = {"host": host, "port": port}
    kafka = {"bootstrap_servers": bootstrap_servers}
    serve(load_settings(qdrant={"url": qdrant_url}, sink=probes, kafka=kafka))
