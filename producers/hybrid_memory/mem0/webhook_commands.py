"""`hm mem0 webhook`."""

from typing import Annotated

import typer

app = typer.Typer(name="webhook", add_completion=False, help="Be told of changes by Mem0's platform.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def webhook(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless told otherwise.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka, as host:port.", metavar="HOST:PORT")] = None,
) -> None:
    """Be told of changes by Mem0's platform: a receiver, and what manages it there.

    Without a command it listens; each call becomes a hint, and is answered when Kafka has it.
    """
    if context.invoked_subcommand is not None:
        return
    from hybrid_memory.mem0.webhook_run import serve
    from hybrid_memory.runtime.settings import load_settings

    mem0 = {"webhook": {"host": host, "port": port}}
    serve(load_settings(mem0=mem0, kafka={"bootstrap_servers": bootstrap_servers}))


@app.command()
def token() -> None:
    """Make a token, for HM_MEM0__WEBHOOK__TOKENS."""
    import secrets

    typer.echo(secrets.token_urlsafe(32))


@app.command()
def register(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where Mem0 reaches the receiver, without the token.")],
    name: Annotated[str, typer.Option(help="What the platform calls it.")] = "hybrid-memory",
    as_json: AsJson = False,
) -> None:
    """Have the platform call the receiver for every change, with the first of HM_MEM0__WEBHOOK__TOKENS.

    Example: hm mem0 webhook register https://memory.example.org
    """
    from hybrid_memory.mem0.webhook_manage import register as run
    from hybrid_memory.runtime.settings import load_settings

    run(load_settings().mem0, url, name, as_json)


@app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """The project's webhooks, their tokens hidden."""
    from hybrid_memory.mem0.webhook_manage import show
    from hybrid_memory.runtime.settings import load_settings

    show(load_settings().mem0, as_json)


@app.command()
def remove(
    webhook_id: Annotated[str, typer.Argument(metavar="ID", help="As hm mem0 webhook list shows it.")],
) -> None:
    """Have the platform call it no more."""
    from hybrid_memory.mem0.webhook_manage import remove as run
    from hybrid_memory.runtime.settings import load_settings

    run(load_settings().mem0, webhook_id)
