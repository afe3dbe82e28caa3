"""Parts of the page that every section is made of. Pure."""

from collections.abc import Sequence

from hybrid_memory.replay.report.markup import Markup, tag


def section(title: str, note: str, *children: str) -> Markup:
    """A part of the page: its heading, a sentence on how to read it, and the rest."""
    return tag("section", tag("h2", title), tag("p", note, class_="note"), *children)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table; columns of figures stand to the right."""
    figures = {at for at in range(len(heads)) if rows and all(row[at][:1].isdigit() for row in rows)} - {0}
    kinds = ["n" if at in figures else None for at in range(len(heads))]
    head = tag("tr", *(tag("th", name, class_=kind) for name, kind in zip(heads, kinds, strict=True)))
    body = [tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True))) for row in rows]
    return tag("table", tag("thead", head), tag("tbody", *body))
