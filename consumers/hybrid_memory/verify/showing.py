"""A report for people and for programs."""

import json
from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from hybrid_memory.runtime.console import make_console
from hybrid_memory.verify.check import Report
from hybrid_memory.verify.differences import MEANING, MENDS

_CATCH_UP = "wait, or start what feeds the index: hm serve, or hm sink"


def print_report(report: Report, as_json: bool) -> None:
    """What was compared, what differs, and what mends it."""
    if as_json:
        print(json.dumps(as_dict(report), indent=2))
        return
    console = make_console()
    if report.partitions:
        rows = [(f"{one.number}", f"{one.log:,}", f"{one.index:,}", f"{one.differ:,}") for one in report.partitions]
        console.print(_table(("partition", "log", "index", "differ"), rows, right=True))
        console.print()
    if report.kinds:
        kinds = [(kind, f"{count:,}", MEANING[kind], MENDS[kind]) for kind, count in report.kinds.items()]
        console.print(_table(("what", "memories", "", "mend it with"), kinds))
        console.print()
        console.print(_table(("memory", "what", "how"), report.examples))
        console.print()
    for one in report.behind:
        said = f"{one.topic}/{one.partition}: applied up to {one.applied:,}, the log went to {one.end:,}; {_CATCH_UP}"
        console.print(Text(f"behind: {said}"))
    for line in _summary(report):
        console.print(Text(line))


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON says it."""
    return {
        "equal": report.equal,
        "index": report.index_id,
        "memories": {"log": report.log, "index": report.index},
        "counts_differ": report.counts_differ,
        "compared": report.compared,
        "sampled": report.sampled,
        "changing": report.changing,
        "differences": report.kinds,
        "mends": {kind: MENDS[kind] for kind in report.kinds},
        "examples": [{"key": key, "kind": kind, "how": how} for key, kind, how in report.examples],
        "behind": [
            {"topic": one.topic, "partition": one.partition, "applied": one.applied, "end": one.end}
            for one in report.behind
        ],
        "partitions": [
            {"partition": one.number, "log": one.log, "index": one.index, "differ": one.differ}
            for one in report.partitions
        ],
        "seconds": round(report.seconds, 2),
    }


def _summary(report: Report) -> Iterable[str]:
    if report.changing:
        yield f"{report.changing:,} memories are not compared: they are ahead of the index, or kept changing"
    if report.counts_differ and not report.kinds:
        yield "the counts differ: points without a record, or records without a point; see them without --sample"
    what = "a sample of " if report.sampled else ""
    differ = sum(report.kinds.values())
    said = "equal" if report.equal else f"{differ:,} differ" + (", and the index is behind" if report.behind else "")
    yield (
        f"{said}: {what}{report.compared:,} compared in {report.seconds:.1f} s; "
        f"the log has {report.log:,} memories, the index {report.index:,}"
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: bool = False) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    return table


def _printable(text: str) -> str:
    """Text that does nothing to a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
