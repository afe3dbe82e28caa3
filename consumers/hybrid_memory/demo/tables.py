"""The demo's tables, from its results. Pure; rich lays them out for the width there is."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from hybrid_memory.demo.results import Answer, Spread, Timings, Upgrade, Write

_SHOWN = 3
_BAR, _SHORT_BAR = 10, 8
_EIGHTHS = " ▏▎▍▌▋▊▉"
_SIGNS = {"add": ("+", ""), "correct": ("~", "yellow"), "delete": ("−", "dim strike")}
_INSTEAD = {"add": "", "correct": "", "delete": "(deleted)"}


def headline(number: int, title: str, about: str) -> RenderableType:
    """The line that opens a step."""
    grid = Table.grid(Column(no_wrap=True), Column(), padding=(0, 2, 0, 0))
    grid.add_row(Text(f"{number}  {title}", "bold cyan"), Text(about))
    return Padding(grid, (1, 0, 0, 0))


def done(what: str, seconds: float) -> RenderableType:
    """Something that is finished."""
    return Text.assemble("   ", ("✓", "green"), f" {what} after {seconds:.1f} s")


def writes_table(writes: Sequence[Write]) -> RenderableType:
    """Every write, and how long it took until a search could find it."""
    slowest = max(write.searchable_ms for write in writes)
    table = _table(
        Column("", no_wrap=True),
        Column("memory", no_wrap=True, ratio=2),
        Column("classifiers", no_wrap=True, ratio=1, style="magenta"),
        Column("searchable", justify="right", no_wrap=True),
        Column("", no_wrap=True, style="cyan", width=_SHORT_BAR),
        expand=True,
    )
    said: dict[str, str] = {}
    for write in writes:
        before = said.get(write.memory_id, "")
        said[write.memory_id] = write.text or before
        sign, style = _SIGNS[write.action]
        text = Text(said[write.memory_id], style, overflow="ellipsis")
        labels = Text(", ".join(write.classifiers) or _INSTEAD[write.action], overflow="ellipsis")
        table.add_row(
            sign, text, labels, f"{write.searchable_ms:.1f} ms", bar(write.searchable_ms / slowest, _SHORT_BAR)
        )
    return _indented(table)


def answer_block(number: int, answer: Answer) -> RenderableType:
    """A search: the question, the best of what it found, and whether that is what it promised."""
    head = Table.grid(Column(no_wrap=True, ratio=1), Column(justify="right", no_wrap=True), expand=True)
    question = Text.assemble((f"{number} {answer.title}  ", "bold"), (f"“{answer.context}”", "italic"))
    question.overflow = "ellipsis"
    head.add_row(question, f"  {answer.ms:.1f} ms")
    return _indented(Group(head, _hits(answer), *_verdicts(answer)), above=1)


def upgrade_block(upgrade: Upgrade) -> RenderableType:
    """A memory before and after its upgrade."""
    grid = Table.grid(Column(no_wrap=True, style="dim"), Column(ratio=1), padding=(0, 2, 0, 0), expand=True)
    grid.add_row("memory", Text(upgrade.text, overflow="ellipsis", no_wrap=True))
    grid.add_row("at once, by rules", Text(", ".join(upgrade.before) or "–", "magenta"))
    if upgrade.state == "final":
        grid.add_row(
            f"after {upgrade.waited_s:.1f} s, by {upgrade.model}", Text(", ".join(upgrade.after) or "–", "bold magenta")
        )
    else:
        grid.add_row("", Text(f"✗ no model's classifiers after {upgrade.waited_s:.0f} s", "red"))
    return _indented(grid)


def numbers_table(timings: Timings) -> RenderableType:
    """All times in one place."""
    names = ("times", "p50", "p99", "in the model")
    table = _table(Column("", no_wrap=True), *(Column(name, justify="right", no_wrap=True) for name in names))
    table.add_row("publish → durable in Kafka", *_spread(timings.durable))
    table.add_row("publish → searchable", *_spread(timings.searchable))
    table.add_row("search", *_spread(timings.search))
    return _indented(table)


def verdict(answers: Sequence[Answer], upgrade: Upgrade | None = None) -> RenderableType:
    """The last line: whether all searches show what they promise, and the model did its part."""
    broken = [answer.title for answer in answers if not answer.kept]
    if not broken and upgrade is not None and upgrade.state != "final":
        return Text.assemble(("✗", "bold red"), " The model did not classify in time.")
    if not broken:
        return Text.assemble(("✓", "bold green"), f" All {len(answers)} searches show what they promise.")
    which = f"{len(broken)} of {len(answers)} searches do not show what they promise: {', '.join(broken)}."
    return Text.assemble(("✗", "bold red"), f" {which}")


def bar(share: float, width: int = _BAR) -> str:
    """A bar that fills `share` (0 to 1) of `width` cells, to an eighth of a cell, and at least an eighth."""
    whole, rest = divmod(max(1, round(min(share, 1.0) * width * 8)), 8)
    return ("█" * whole + _EIGHTHS[rest].strip()).ljust(width)


def _hits(answer: Answer) -> RenderableType:
    grid = Table.grid(
        Column(justify="right", no_wrap=True),
        Column(no_wrap=True, style="cyan", width=_BAR),
        Column(no_wrap=True, ratio=1),
        padding=(0, 1, 0, 0),
        expand=True,
    )
    for place, hit in enumerate(answer.hits[:_SHOWN]):
        style = "" if place == 0 else "dim"
        grid.add_row(f"  {hit.score:.2f}", bar(hit.score), Text(hit.text, style, overflow="ellipsis"))
    if not answer.hits:
        grid.add_row("     –", "", Text("nothing found", "dim"))
    return grid


def _verdicts(answer: Answer) -> Iterable[RenderableType]:
    if answer.kept:
        yield Text.assemble("  ", ("✓", "green"), " ", answer.look_for)
    for problem in answer.broken:
        yield Text.assemble("  ", ("✗", "bold red"), " ", (problem, "red"))


def _spread(spread: Spread) -> tuple[str, ...]:
    share = "" if spread.embedder_share is None else f"{spread.embedder_share:.0%}"
    return str(spread.count), f"{spread.p50:.1f} ms", f"{spread.p99:.1f} ms", share


def _table(*columns: Column, expand: bool = False) -> Table:
    return Table(*columns, box=None, expand=expand, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))


def _indented(what: RenderableType, above: int = 0) -> RenderableType:
    return Padding(what, (above, 0, 0, 3))
