"""A comparison for people at a terminal."""

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from hybrid_memory.dlq.showing import printable
from hybrid_memory.replay.churn import Change, Churn
from hybrid_memory.replay.comparison import Comparison
from hybrid_memory.replay.report.figures import many, number, percent
from hybrid_memory.replay.report.flow import NOTHING
from hybrid_memory.replay.report.markup import short
from hybrid_memory.runtime.console import make_console

_ROWS, _QUERIES = 12, 5
_NONE = f"({NOTHING})"


def print_comparison(found: Comparison) -> None:
    """Print it: what changes overall, label by label, where labels go, and examples."""
    console = make_console()
    churn = found.churn
    console.print(_headline(found), soft_wrap=True)
    if churn.labels:
        console.print("\nlabels", style="bold")
        console.print(_labels(churn))
    if churn.moves:
        console.print("\nwhere labels go", style="bold")
        console.print(_moves(churn))
    if found.searches is not None:
        _print_searches(console, found)
    if found.examples:
        console.print("\nexamples", style="bold")
        console.print(Group(*(_example(change) for change in found.examples)))


def _headline(found: Comparison) -> Text:
    churn = found.churn
    facts = ", ".join(f"{name} {value}" for name, value in found.facts.items())
    users = sum(user.changed > 0 for user in churn.users)
    text = Text.assemble(("replay ", ""), (found.job, "bold"), (f"  {facts}\n", "dim"))
    text.append(percent(churn.share), "bold yellow" if churn.changed else "bold green")
    text.append(
        f" churn: {number(churn.changed)} of {many(churn.memories, 'memory', 'memories')} get other classifiers, "
        f"of {number(users)} of {many(len(churn.users), 'user')}"
    )
    if churn.gained or churn.emptied:
        text.append(f"\n{number(churn.gained)} had no label and have one now, {number(churn.emptied)} lost all theirs")
    return text


def _labels(churn: Churn) -> Table:
    table = _table(["label"], ["kept", "removed", "added", "churn"])
    for it in churn.labels[:_ROWS]:
        table.add_row(
            Text(printable(it.label)),
            number(it.kept),
            Text(number(it.removed), "red" if it.removed else "dim"),
            Text(number(it.added), "green" if it.added else "dim"),
            percent(it.share),
        )
    return _cut(table, len(churn.labels), 5)


def _moves(churn: Churn) -> Table:
    table = _table(["before", "after"], ["memories", "of all"])
    for (old, new), count in churn.moves[:_ROWS]:
        table.add_row(_name(old), _name(new), number(count), percent(count / churn.memories))
    return _cut(table, len(churn.moves), 4)


def _print_searches(console: Console, found: Comparison) -> None:
    assert found.searches is not None
    console.print("\nsearches", style="bold")
    mean = "–" if found.overlap is None else percent(found.overlap)
    console.print(f"overlap@10 {mean} on average of {many(len(found.searches), 'query', 'queries')}; the least alike:")
    table = _table(["user", "query"], ["overlap"])
    for one in found.searches[:_QUERIES]:
        table.add_row(Text(printable(one.user_id)), Text(printable(short(one.query, 60))), percent(one.overlap))
    console.print(table)


def _example(change: Change) -> Text:
    text = Text(f"{printable(short(change.text, 90))}\n")
    for label, style in (
        *((f"− {label}", "red") for label in change.removed),
        *((f"+ {label}", "green") for label in change.added),
        *((f"= {label}", "dim") for label in change.kept),
    ):
        text.append(f"  {printable(label)}", style)
    return text.append(f"  ({printable(change.user_id)}/{printable(change.memory_id)})", "dim")


def _table(names: list[str], figures: list[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _cut(table: Table, whole: int, columns: int) -> Table:
    if whole > _ROWS:
        table.add_row(Text(f"and {number(whole - _ROWS)} more", "dim"), *[""] * (columns - 1))
    return table


def _name(label: str | None) -> Text:
    return Text(_NONE, "dim") if label is None else Text(printable(label))
