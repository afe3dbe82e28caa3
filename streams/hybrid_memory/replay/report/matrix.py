"""The confusion of labels as a field of squares: a row a label before, a column a label after. Pure."""

from collections import Counter
from collections.abc import Sequence

from hybrid_memory.replay.churn import Pair
from hybrid_memory.replay.report.figures import many, number
from hybrid_memory.replay.report.flow import NOTHING
from hybrid_memory.replay.report.markup import Markup, short, tag

_CELL, _LEFT, _TOP = 46.0, 190.0, 124.0


def matrix(pairs: Sequence[tuple[Pair, int]], most: int = 14) -> Markup:
    """The pairs of the labels that stand in most of them; the darker, the more memories. The diagonal stayed."""
    labels = _frequent(pairs, most)
    counts = {pair: count for pair, count in pairs if pair[0] in labels and pair[1] in labels}
    stayed = max((count for (old, new), count in counts.items() if old == new), default=1)
    moved = max((count for (old, new), count in counts.items() if old != new), default=1)
    cells, names = [], []
    for row, old in enumerate(labels):
        names += [_row_name(old, row), _column_name(old, row)]
        for column, new in enumerate(labels):
            count = counts.get((old, new), 0)
            cells.append(_cell(old, new, count, count / (stayed if old == new else moved), row, column))
    side = _CELL * len(labels)
    return tag(
        "svg",
        tag("text", "before ↓   after →", x=_LEFT - 10, y=_TOP - 10, text_anchor="end", class_="head"),
        *names,
        *cells,
        viewBox=f"0 0 {max(960.0, _LEFT + side + 60):.0f} {_TOP + side + 6:.0f}",
        role="img",
        aria_label="Labels before and after",
    )


def _frequent(pairs: Sequence[tuple[Pair, int]], most: int) -> list[str | None]:
    """The labels that moved on most memories, then those that stayed on most; nothing is last."""
    moved: Counter[str | None] = Counter()
    stayed: Counter[str | None] = Counter()
    for (old, new), count in pairs:
        if old == new:
            stayed[old] += count
        else:
            moved.update({old: count, new: count})
    known = {*moved, *stayed}
    labels = sorted((it for it in known if it is not None), key=lambda it: (-moved[it], -stayed[it], it))
    return [*labels[:most], *([None] if None in known else [])]


def _cell(old: str | None, new: str | None, count: int, strength: float, row: int, column: int) -> Markup:
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    square = {"x": x + 1, "y": y + 1, "width": _CELL - 2, "height": _CELL - 2, "rx": 4}
    if not count:
        return tag("rect", class_="cell none", **square)
    verb = "kept by" if old == new else f"→ {new or NOTHING}:"
    return tag(
        "g",
        tag("title", f"{old or NOTHING} {verb} {many(count, 'memory', 'memories')}"),
        tag("rect", class_="cell none", **square),
        tag("rect", class_="cell same" if old == new else "cell other", fill_opacity=0.12 + 0.7 * strength, **square),
        tag("text", _brief(count), x=x + _CELL / 2, y=y + _CELL / 2, text_anchor="middle", dominant_baseline="central"),
    )


def _row_name(label: str | None, row: int) -> Markup:
    y = _TOP + row * _CELL + _CELL / 2
    return tag("text", short(label or NOTHING, 24), x=_LEFT - 10, y=y, text_anchor="end", dominant_baseline="central")


def _column_name(label: str | None, column: int) -> Markup:
    x = _LEFT + column * _CELL + _CELL / 2
    place = f"translate({x:.1f} {_TOP - 10:.1f}) rotate(-40)"
    return tag("text", short(label or NOTHING, 22), transform=place)


def _brief(count: int) -> str:
    return number(count) if count < 10_000 else f"{count / 1000:.0f}k"
