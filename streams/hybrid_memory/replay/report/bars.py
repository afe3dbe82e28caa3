"""Bars: what each label lost and won, how many users changed how much, and a share as a ring. Pure."""

from collections.abc import Sequence
from math import pi

from hybrid_memory.replay.churn import LabelChurn
from hybrid_memory.replay.report.figures import many, number, percent
from hybrid_memory.replay.report.markup import Markup, short, tag

WIDTH = 960
_ROW, _TOP = 30.0, 30.0
_MIDDLE, _REACH = 500.0, 250.0


def label_bars(labels: Sequence[LabelChurn]) -> Markup:
    """A row a label: to the left the memories that lost it, to the right those that won it, and what stayed."""
    longest = max((max(it.added, it.removed) for it in labels), default=0) or 1
    heads = [
        tag("text", "removed", x=_MIDDLE - 6, y=14, text_anchor="end", class_="head gone"),
        tag("text", "added", x=_MIDDLE + 6, y=14, class_="head new"),
        tag("text", "kept", x=880, y=14, text_anchor="end", class_="head"),
        tag("text", "churn", x=WIDTH - 2, y=14, text_anchor="end", class_="head"),
    ]
    rows = [_row(label, _TOP + at * _ROW, _REACH / longest) for at, label in enumerate(labels)]
    tall = _TOP + len(labels) * _ROW
    axis = tag("line", x1=_MIDDLE, x2=_MIDDLE, y1=_TOP - 8, y2=tall, class_="axis")
    return tag(
        "svg",
        *heads,
        *rows,
        axis,
        viewBox=f"0 0 {WIDTH} {tall + 4:.0f}",
        role="img",
        aria_label="Labels removed and added",
    )


def _row(label: LabelChurn, y: float, scale: float) -> Markup:
    gone, new, mid = label.removed * scale, label.added * scale, y + _ROW / 2
    return tag(
        "g",
        tag("title", f"{label.label}: {label.removed:,} removed, {label.added:,} added, {label.kept:,} kept"),
        tag("rect", x=0, y=y, width=WIDTH, height=_ROW, class_="row"),
        tag("text", short(label.label, 26), x=4, y=mid, dominant_baseline="central"),
        tag("rect", x=_MIDDLE - gone, y=y + 6, width=gone, height=_ROW - 12, rx=2, class_="bar gone"),
        tag("rect", x=_MIDDLE, y=y + 6, width=new, height=_ROW - 12, rx=2, class_="bar new"),
        _figure(label.removed, _MIDDLE - gone - 6, mid, "end"),
        _figure(label.added, _MIDDLE + new + 6, mid, "start"),
        tag("text", number(label.kept), x=880, y=mid, text_anchor="end", dominant_baseline="central", class_="quiet"),
        tag("text", percent(label.share), x=WIDTH - 2, y=mid, text_anchor="end", dominant_baseline="central"),
    )


def _figure(value: int, x: float, y: float, anchor: str) -> Markup:
    shown = number(value) if value else ""
    return tag("text", shown, x=x, y=y, text_anchor=anchor, dominant_baseline="central", class_="quiet")


def columns(counts: Sequence[int], names: Sequence[str], what: tuple[str, str], title: str) -> Markup:
    """A histogram: a column a bin, its name below, its count above."""
    tall, wide, most = 150.0, 440.0, max(counts, default=0) or 1
    step = wide / max(1, len(counts))
    parts: list[Markup] = []
    for at, (count, name) in enumerate(zip(counts, names, strict=True)):
        height, x = tall * count / most, at * step
        parts += [
            tag(
                "rect",
                tag("title", f"{name}: {many(count, *what)}"),
                x=x + 3,
                y=24 + tall - height,
                width=step - 6,
                height=max(height, 1.0),
                rx=2,
                class_="bar main" if count else "bar none",
            ),
            tag("text", number(count) if count else "", x=x + step / 2, y=18 + tall - height, text_anchor="middle"),
            tag("text", name, x=x + step / 2, y=42 + tall, text_anchor="middle", class_="quiet"),
        ]
    return tag("svg", *parts, viewBox=f"0 0 {wide:.0f} {tall + 50:.0f}", role="img", aria_label=title, class_="small")


def ring(share: float) -> Markup:
    """A share as a ring that closes at 1, its percent in the middle."""
    round_ = 2 * pi * 52
    return tag(
        "svg",
        tag("circle", cx=64, cy=64, r=52, class_="ring"),
        tag(
            "circle",
            cx=64,
            cy=64,
            r=52,
            class_="ring full",
            stroke_dasharray=f"{share * round_:.1f} {round_:.1f}",
            transform="rotate(-90 64 64)",
        ),
        tag("text", percent(share), x=64, y=60, text_anchor="middle", dominant_baseline="central", class_="big"),
        tag("text", "churn", x=64, y=84, text_anchor="middle", class_="quiet"),
        viewBox="0 0 128 128",
        role="img",
        aria_label=f"{percent(share)} of the memories have other labels",
        class_="dial",
    )
