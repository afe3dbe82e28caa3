"""What searches find before and after: how alike the lists are, and the queries where they differ most. Pure."""

from collections.abc import Sequence

from hybrid_memory.replay.overlap import FIRST, Found
from hybrid_memory.replay.report.bars import columns
from hybrid_memory.replay.report.figures import many, percent
from hybrid_memory.replay.report.markup import Markup, short, tag
from hybrid_memory.replay.report.parts import section

_SHOWN = 20


def searches(found: Sequence[Found]) -> Markup:
    """The section on searches; `found` has the least alike first."""
    bins = [0] * (FIRST + 1)
    for one in found:
        bins[round(one.overlap * FIRST)] += 1
    names = [f"{at * 100 // FIRST}" for at in range(FIRST + 1)]
    mean = sum(one.overlap for one in found) / len(found)
    differ = [one for one in found if one.before != one.after]
    plot = columns(bins, names, ("query", "queries"), "Queries by the percent of the first ten that stay")
    note = (
        f"{many(len(found), 'query', 'queries')}, each asked among its user's memories of this job, with the labels of "
        f"before and of after. On average {percent(mean)} of the first {FIRST} are the same; "
        f"{many(len(differ), 'query finds', 'queries find')} something else or in another order."
    )
    lists = tag("div", *(_query(one) for one in differ[:_SHOWN]))
    return section("What searches find", note, tag("div", plot, lists, class_="two"))


def _query(found: Found) -> Markup:
    told = f"  {percent(found.overlap)} · {short(found.user_id, 30)}"
    title = tag("summary", short(found.query, 80), tag("span", told, class_="quiet"))
    return tag("details", title, tag("ol", *(tag("li", *_place(found, it)) for it in found.after)), _lost(found))


def _place(found: Found, memory: str) -> list[Markup]:
    """A memory that is found now, and where it was before."""
    if memory not in found.before:
        return [tag("span", short(found.texts[memory], 90), class_="in"), tag("span", "  new", class_="quiet")]
    was, now = found.before.index(memory), found.after.index(memory)
    moved = "" if was == now else f"  was {was + 1}"
    return [tag("span", short(found.texts[memory], 90)), tag("span", moved, class_="quiet")]


def _lost(found: Found) -> Markup:
    gone = [it for it in found.before if it not in found.after]
    return tag(
        "p", *(tag("span", f"− {short(found.texts[it], 90)}", tag("br"), class_="out") for it in gone), class_="note"
    )
