"""`hm bench`, `hm bench classify` and `hm bench tap`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

bench = typer.Typer(
    name="bench",
    invoke_without_command=True,
    add_completion=False,
    help="Measure the main path on a throw-away system: a real Kafka and a real `hm serve`, started for it.",
    epilog="Ends with 0 also where a target is missed. Example: hm bench --only search --sizes 1000,10000",
)


class Name(StrEnum):
    """What can be measured."""

    ONE = "one"
    SEARCH = "search"
    NEIGHBOURS = "neighbours"
    MEMORY = "memory"
    CLIENTS = "clients"
    BATCHES = "batches"
    BULK = "bulk"
    SEARCHERS = "searchers"
    STREAM = "stream"
    REPLAY = "replay"
    MEM0 = "mem0"


@bench.callback()
def main_path(
    context: typer.Context,
    texts: Annotated[
        Path | None, typer.Option(help="Texts to store: one a line, or CSV or JSON with `text`. Default: made up.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON to this file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    sizes: Annotated[str, typer.Option(help="Sizes of the index, in memories.")] = "1000,10000",
    full: Annotated[bool, typer.Option("--full", help="With 100,000 memories too; some minutes more.")] = False,
    only: Annotated[
        list[Name] | None,
        typer.Option(
            help="Measure this alone; may be given again. `stream`, `replay` and `mem0` are measured only so."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=10_000, help="How often a single thing is measured.")] = 200,
    seed: Annotated[int, typer.Option(help="For all that is drawn by lot.")] = 7,
) -> None:
    """Ends with 0 also where a target is missed: it measures, and says so."""
    if context.invoked_subcommand is not None:
        return
    from hybrid_memory.bench.run import run
    from hybrid_memory.bench.sizes import parse_sizes

    wanted = parse_sizes(sizes, full)
    run(texts, out, wanted, [name.value for name in only or []], samples, seed, as_json)


@bench.command()
def classify(
    texts: Annotated[int, typer.Option(min=1, help="Texts to classify.")] = 64,
    reference_texts: Annotated[int, typer.Option(min=1, help="Of them, for the slow reference.")] = 6,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON to this file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    seed: Annotated[int, typer.Option(help="For weights and texts.")] = 7,
) -> None:
    """Measure the model alone: Qwen2.5-0.5B's shape with random weights, beside the library's own loop.

    Example: hm bench classify
    """
    from hybrid_memory.bench.run import run_model

    run_model(out, texts, reference_texts, seed, as_json)


@bench.command()
def tap(
    samples: Annotated[int, typer.Option(min=10, max=10_000, help="How often Mem0 adds, with and without.")] = 500,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON to this file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Measure what the tap costs Mem0's `add`, with Kafka up and down; needs mem0ai.

    Example: hm bench tap
    """
    from hybrid_memory.bench.run import run_tap

    run_tap(out, samples, as_json)
