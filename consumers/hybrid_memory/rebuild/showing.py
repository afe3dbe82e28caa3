"""Rebuilds for people and for programs: tables and JSON."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hybrid_memory.rebuild.compare import Row
from hybrid_memory.rebuild.others import Standing
from hybrid_memory.runtime.console import make_console


def print_comparison(rows: Sequence[Row]) -> None:
    """The comparison as a table, on standard error."""
    table = _table("", "serving", "new", "")
    for row in rows:
        table.add_row(row.what, row.serving, row.new, "" if row.same else "differs")
    Console(stderr=True).print(table)


def print_standings(standings: Sequence[Standing], as_json: bool) -> None:
    """The generations, as a table or as JSON."""
    if as_json:
        print(json.dumps([_fields(standing) for standing in standings], indent=2))
        return
    table = _table("index", "is", "embedder", "memories", "records behind")
    for one in standings:
        if one.summary is None:
            table.add_row(one.name, one.role, one.reason, "", "")
        else:
            table.add_row(one.name, one.role, one.summary.embedder, f"{one.summary.memories:,}", f"{one.behind:,}")
    make_console().print(
        table if standings else "there is no index here; name its folder with --data-dir, or start one with: hm serve"
    )


def _fields(standing: Standing) -> dict[str, object]:
    summary = standing.summary
    known = {"embedder": summary.embedder, "memories": summary.memories, "users": summary.users} if summary else {}
    return {"name": standing.name, "role": standing.role, **known, "behind": standing.behind, "reason": standing.reason}


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(
            column, justify="right" if column in ("serving", "new", "memories", "records behind") else "left"
        )
    return table
