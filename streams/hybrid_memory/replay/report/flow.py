"""Where labels went: ribbons from what stood there before to what stands there now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid_memory.replay.churn import Pair
from hybrid_memory.replay.report.figures import many, number
from hybrid_memory.replay.report.markup import Markup, short, tag

WIDTH = 960
_BAR = 10
_LEFT, _RIGHT = 240.0, 720.0
_TOP, _GAP, _TALL = 34.0, 10.0, 420.0
_HUES = 8
NOTHING = "no label"


@dataclass(slots=True)
class _Node:
    label: str | None
    count: int
    at: float = 0.0
    height: float = 0.0
    used: float = 0.0

    def take(self, share: float) -> tuple[float, float]:
        """The next piece of its height, from top to bottom."""
        begin = self.at + self.used
        self.used += share * self.height
        return begin, self.at + self.used


def flow(moves: Sequence[tuple[Pair, int]], most: int = 16) -> Markup:
    """The most frequent moves as ribbons, as thick as they are frequent; a title on each says how many memories."""
    shown = moves[:most]
    left, right = _nodes(shown, 0), _nodes(shown, 1)
    tall = max(_place(left), _place(right))
    order = {label: at for at, label in enumerate(right)}
    ribbons = []
    for at, (label, node) in enumerate(left.items()):
        mine = sorted((move for move in shown if move[0][0] == label), key=lambda move: order[move[0][1]])
        ribbons += [_ribbon(node, right[new], count, at) for (_, new), count in mine]
    sides = [_side(node, _LEFT - _BAR, "end", at) for at, node in enumerate(left.values())]
    sides += [_side(node, _RIGHT, "start", None) for node in right.values()]
    heads = [
        tag("text", "before", x=_LEFT, y=16, text_anchor="end", class_="head"),
        tag("text", "after", x=_RIGHT, y=16, class_="head"),
    ]
    said = f"The {many(len(shown), 'most frequent move')} of labels, from before to after"
    return tag(
        "svg",
        *heads,
        *ribbons,
        *sides,
        viewBox=f"0 0 {WIDTH} {tall + 8:.0f}",
        role="img",
        aria_label=said,
        class_="flow",
    )


def _nodes(moves: Sequence[tuple[Pair, int]], side: int) -> dict[str | None, _Node]:
    """The labels of one side, the most frequent first, nothing last."""
    nodes: dict[str | None, _Node] = {}
    for pair, count in moves:
        nodes.setdefault(pair[side], _Node(pair[side], 0)).count += count
    return dict(sorted(nodes.items(), key=lambda item: (item[0] is None, -item[1].count, item[0] or "")))


def _place(nodes: dict[str | None, _Node]) -> float:
    """Give each its height and place; returns where the last one ends."""
    total = sum(node.count for node in nodes.values())
    at = _TOP
    for node in nodes.values():
        node.at, node.height = at, max(6.0, _TALL * node.count / total)
        at += max(node.height, 16.0) + _GAP
    return at


def _ribbon(old: _Node, new: _Node, count: int, hue: int) -> Markup:
    a, b = old.take(count / old.count)
    c, d = new.take(count / new.count)
    middle = (_LEFT + _RIGHT) / 2
    path = (
        f"M{_LEFT} {a:.1f}C{middle} {a:.1f} {middle} {c:.1f} {_RIGHT} {c:.1f}"
        f"L{_RIGHT} {d:.1f}C{middle} {d:.1f} {middle} {b:.1f} {_LEFT} {b:.1f}Z"
    )
    said = f"{old.label or NOTHING} → {new.label or NOTHING}: {many(count, 'memory', 'memories')}"
    return tag("path", tag("title", said), d=path, class_=f"ribbon {_hue(old, hue)}")


def _side(node: _Node, x: float, anchor: str, hue: int | None) -> Markup:
    at, away = node.at + max(node.height, 12) / 2, -8 if anchor == "end" else _BAR + 8
    kind = "end" if hue is None and node.label is not None else _hue(node, hue or 0)
    name = tag("tspan", short(node.label or NOTHING, 26), class_="quiet" if node.label is None else None)
    figure = tag("tspan", f" {number(node.count)}", class_="quiet")
    return tag(
        "g",
        tag("title", f"{node.label or NOTHING}: {number(node.count)}"),
        tag("rect", x=x, y=node.at, width=_BAR, height=node.height, rx=2, class_=f"bar {kind}"),
        tag("text", name, figure, x=x + away, y=at, text_anchor=anchor, dominant_baseline="central"),
    )


def _hue(node: _Node, at: int) -> str:
    return "none" if node.label is None else f"h{at % _HUES}"
