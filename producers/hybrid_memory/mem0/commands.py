"""`hm mem0`."""

from typing import Annotated

import typer

from hybrid_memory.mem0.oss.commands import tail
from hybrid_memory.mem0.reader_commands import follow, sync
from hybrid_memory.mem0.webhook_commands import app as webhook

app = typer.Typer(
    name="mem0", no_args_is_help=True, add_completion=False, help="Take over what changes in Mem0, hosted or not."
)
app.add_typer(webhook)
app.command()(follow)
app.command()(sync)
app.command()(tail)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="Kafka, as host:port.", metavar="HOST:PORT")]


@app.command()
def publish(
    once: Annotated[bool, typer.Option("--once", help="Deal with what is hinted at by now, and end.")] = False,
    write_back: Annotated[
        bool, typer.Option("--write-back", help="Write classifiers to Mem0's metadata, as they are made.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="Port of its probes and metrics.")] = None,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
) -> None:
    """Follow the hints: read each memory from Mem0, and publish it, or its deletion, where the log says otherwise."""
    from hybrid_memory.mem0.publish_run import print_done, serve
    from hybrid_memory.runtime.settings import load_settings

    settings = load_settings(
        kafka={"bootstrap_servers": bootstrap_servers}, mem0={"port": port, "write_back": write_back or None}
    )
    if once:
        print_done(settings, as_json)
    else:
        serve(settings)
