"""`hm classify stream`, `hm classify serve` and `hm classify which`."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="classify", no_args_is_help=True, add_completion=False, help="Classify by a model: the stream, or a service."
)

Kind = Annotated[str | None, typer.Option("--classifier", metavar="auto|qwen|rules|URL", help="Who makes classifiers.")]
Model = Annotated[str | None, typer.Option(help="A folder with weights, or a model hub's name for them.")]
Mode = Annotated[str | None, typer.Option(metavar="open|taxonomy", help="Free phrases, or labels of a taxonomy.")]
TaxonomyFile = Annotated[Path | None, typer.Option(help="Labels, as YAML. Default: the shipped ones.")]
BootstrapServers = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")]


@app.command()
def stream(
    classifier: Kind = None,
    model: Model = None,
    mode: Mode = None,
    taxonomy: TaxonomyFile = None,
    generation: Annotated[
        int | None, typer.Option(min=1, help="Raise it with a new model, prompt or taxonomy.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the probes and metrics.")] = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Classify what is on the log, batch by batch, until stopped.

    Example: hm classify stream --classifier qwen --model ./Qwen2.5-0.5B-Instruct
    """
    from hybrid_memory.classifier.stream.run import run_stream
    from hybrid_memory.runtime.settings import load_settings

    made = _classifier(classifier, model, mode, taxonomy, generation)
    kafka = {"bootstrap_servers": bootstrap_servers}
    run_stream(load_settings(classifier=made, stream={"port": port}, kafka=kafka))


@app.command()
def serve(
    classifier: Kind = None,
    model: Model = None,
    mode: Mode = None,
    taxonomy: TaxonomyFile = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless told otherwise.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen on any address without keys.")] = False,
) -> None:
    """Serve /classify and /classify_batch on port 8766.

    Example: hm classify serve --port 8766
    """
    from hybrid_memory.classifier.service.serve import serve as run
    from hybrid_memory.runtime.settings import load_settings

    made = _classifier(classifier, model, mode, taxonomy)
    run(load_settings(classifier=made, service={"host": host, "port": port}, http={"insecure": insecure or None}))


@app.command()
def which(
    classifier: Kind = None,
    model: Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say which classifier these settings come to, and why. Loads nothing.

    Example: hm classify which
    """
    import json
    from dataclasses import asdict

    from hybrid_memory.classifier.choose import choose
    from hybrid_memory.runtime.settings import load_settings

    choice = choose(load_settings(classifier={"kind": classifier, "model": model}))
    print(json.dumps(asdict(choice)) if as_json else f"{choice.kind}, since {choice.why}")


def _classifier(
    kind: str | None, model: str | None, mode: str | None, taxonomy: Path | None, generation: int | None = None
) -> dict[str, Any]:
    return {"kind": kind, "model": model, "mode": mode, "taxonomy": taxonomy, "generation": generation}
