"""`hm taxonomy check` and `hm taxonomy eval`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid_memory.runtime.console import make_console

if TYPE_CHECKING:
    from hybrid_memory.index.taxonomy_check import Verdict
    from hybrid_memory.index.taxonomy_measure import Score

app = typer.Typer(
    name="taxonomy", no_args_is_help=True, add_completion=False, help="Check and measure a taxonomy of your own."
)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A taxonomy, as YAML. Default: the shipped one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a taxonomy: repeats, overlap, labels that no example reaches. Exit code 1 if anything is.

    Example: hm taxonomy check mine.yaml
    """
    import json

    from hybrid_memory.index.taxonomy_check import check as run
    from hybrid_memory.runtime.settings import load_settings

    verdict = run(file, load_settings())
    if as_json:
        print(json.dumps(verdict.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(verdict)
    raise typer.Exit(1 if verdict.faults else 0)


@app.command("eval")
def evaluate(
    file: Annotated[Path, typer.Argument(help="CSV with the columns text and domain.")],
    map_file: Annotated[
        Path | None, typer.Option("--map", help="YAML: the labels of each domain. Default: a domain is a label.")
    ] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="A taxonomy, as YAML. Default: the shipped one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often the first label is right: by key words alone, and with the examples.

    Example: hm taxonomy eval texts.csv --map domains.yaml
    """
    import json
    from dataclasses import asdict

    from hybrid_memory.classifier.taxonomies import taxonomy_at
    from hybrid_memory.index.embedders import make_embedder
    from hybrid_memory.index.taxonomy_measure import measure, read_map, read_texts
    from hybrid_memory.runtime.settings import load_settings

    labels = taxonomy_at(taxonomy)
    texts = read_texts(file)
    scores = measure(labels, texts, read_map(map_file, texts.values(), labels), make_embedder(load_settings()))
    if as_json:
        print(json.dumps([asdict(score) for score in scores], indent=2))
    else:
        _show_scores(scores)


def _show(verdict: "Verdict") -> None:
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    if verdict.faults:
        table = Table("fault", "what to mend")
        for fault in verdict.faults:
            table.add_row(escape(fault.kind), escape(fault.says))
        console.print(table)
    if verdict.version is not None:
        found = f"{verdict.labels} labels and {verdict.examples} examples"
        said = f"{len(verdict.faults)} to mend" if verdict.faults else "nothing is wrong with it"
        console.print(f"taxonomy {escape(verdict.version)}: {found}; {said}", highlight=False)
    if verdict.left_out:
        console.print(f"meaning was not looked at: {escape(verdict.left_out)}", highlight=False)


def _show_scores(scores: "list[Score]") -> None:
    from rich.table import Table

    table = Table("domain", "texts", "key words", "key words + examples")
    for column in table.columns[1:]:
        column.justify = "right"
    for score in scores:
        table.add_row(score.domain, f"{score.texts:,}", f"{score.by_words:.1%}", f"{score.by_both:.1%}")
    make_console().print(table)
