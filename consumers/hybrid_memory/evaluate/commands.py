"""`hm eval`."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    file: Annotated[Path, typer.Argument(help="Users, their memories, and questions with the memories that answer.")],
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON to this file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    seed: Annotated[int, typer.Option(help="For the bootstrap.")] = 7,
) -> None:
    """Measure how good search is, on a file of your own, with and without classifiers.

    It starts a throw-away system (a real Kafka and a real `hm serve`), loads the file through the API, asks every
    question both ways, and removes all of it. The form of the file: docs/search.md.

    Example: hm eval questions.json
    """
    from hybrid_memory.evaluate.run import run

    run(file, out, as_json, seed)
