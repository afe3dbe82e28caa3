"""Builds HTML and SVG in which every text is escaped: only what `tag` and `together` made is markup. Pure."""

from collections.abc import Iterable
from html import escape

_VOID = {"meta", "br"}


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """An element. A child that is not Markup is escaped, as attributes are; `class_` is `class`, `_` within is `-`.

    An attribute that is None is left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_said(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{together(children)}</{name}>")


def together(parts: Iterable[str]) -> Markup:
    """The parts one after the other, escaped where they are not markup."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def text(value: str) -> Markup:
    """A text as it may stand anywhere in a page; characters that nobody can see are shown as �."""
    shown = "".join(char if char.isprintable() or char in "\n\t" or char in _JOINERS else "�" for char in value)
    return Markup(escape(shown))


def short(value: str, most: int) -> str:
    """At most so many characters, on one line."""
    line = " ".join(value.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _said(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


# They shape words and emoji, and do no harm.
_JOINERS = "\u200c\u200d"
