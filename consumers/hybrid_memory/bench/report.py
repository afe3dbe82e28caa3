"""The result as a table for people and as JSON for programs."""

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hybrid_memory.bench.figures import Figure

if TYPE_CHECKING:
    from rich.table import Table


def as_json(figures: Sequence[Figure], about: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured; `missed` names what is not as wanted."""
    return {
        **about,
        "missed": [_name(figure) for figure in figures if figure.met is False],
        "figures": [figure.as_json() for figure in figures],
    }


def table(figures: Sequence[Figure], counted: str = "memories") -> "Table":
    """A line a figure; `counted` is what the figures count."""
    from rich.table import Table

    made = Table(title="hm bench", title_justify="left")
    made.add_column("what")
    for name in (counted, "measured", "p99", "beside it", "ratio", "target"):
        made.add_column(name, justify="right")
    made.add_column("met")
    for figure in figures:
        made.add_row(*cells(figure))
    return made


def cells(figure: Figure) -> tuple[str, ...]:
    """The cells of a figure's line; markup for colours only in the last."""
    unit = figure.unit
    beside = "" if figure.reference is None else f"{figure.beside} {_said(figure.reference, unit)}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    p99 = "" if figure.p99 is None else _said(figure.p99, unit)
    target = figure.target.says if figure.target else ""
    met = {None: "", True: "[green]yes[/]", False: "[bold red]no[/]"}[figure.met]
    return figure.name, f"{figure.memories:,}", _said(figure.value, unit), p99, beside, ratio, target, met


def verdict(figures: Sequence[Figure]) -> str:
    """One sentence on the targets."""
    wanted = [figure for figure in figures if figure.met is not None]
    missed = [_name(figure) for figure in wanted if not figure.met]
    if not wanted:
        return "nothing that was measured has a target"
    if not missed:
        return f"all {len(wanted)} targets are met"
    return f"{len(missed)} of {len(wanted)} targets are MISSED: {'; '.join(missed)}"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import psutil

    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _name(figure: Figure) -> str:
    return f"{figure.name.strip()} at {figure.memories:,}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _said(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"
    return f"{number}{unit}" if unit.startswith("/") else f"{number} {unit}"
