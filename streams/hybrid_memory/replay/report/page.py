"""The report as one page. Pure, but for the style sheet that lies beside it."""

from importlib import resources

from hybrid_memory.replay.churn import Change, Churn
from hybrid_memory.replay.comparison import Comparison
from hybrid_memory.replay.report.bars import columns, label_bars, ring
from hybrid_memory.replay.report.figures import many, number, percent
from hybrid_memory.replay.report.flow import flow
from hybrid_memory.replay.report.markup import Markup, short, tag, together
from hybrid_memory.replay.report.matrix import matrix
from hybrid_memory.replay.report.parts import section, table
from hybrid_memory.replay.report.searches import searches

_LABELS, _USERS = 20, 10
_TEXT = 400
# Nothing is fetched, sent or run, whatever a memory's text may say.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(found: Comparison) -> str:
    """The whole HTML file: it needs no other and asks for none."""
    style = resources.files("hybrid_memory.replay.report").joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Replay {found.job}"),
        tag("style", Markup(style)),
    )
    body = tag("body", _header(found), _tiles(found), tag("main", *_sections(found)), _footer())
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _header(found: Comparison) -> Markup:
    churn = found.churn
    said = (
        f"{number(churn.changed)} of {many(churn.memories, 'memory', 'memories')} get other classifiers."
        if churn.changed
        else f"None of {many(churn.memories, 'memory', 'memories')} gets other classifiers."
    )
    facts = " · ".join(f"{name} {value}" for name, value in found.facts.items())
    words = tag(
        "div",
        tag("p", "Replay, before → after", class_="kicker"),
        tag("h1", found.job),
        tag("p", said),
        tag("p", facts, class_="note"),
    )
    return tag("header", words, ring(churn.share))


def _tiles(found: Comparison) -> Markup:
    churn = found.churn
    changed_users = sum(user.changed > 0 for user in churn.users)
    tiles = [
        _tile(number(churn.changed), f"of {many(churn.memories, 'memory', 'memories')} changed"),
        _tile(number(sum(it.added for it in churn.labels)), "labels added", "new"),
        _tile(number(sum(it.removed for it in churn.labels)), "labels removed", "gone"),
        _tile(number(sum(it.kept for it in churn.labels)), "labels kept"),
        _tile(number(changed_users), f"of {many(len(churn.users), 'user')} see a change"),
    ]
    if found.overlap is not None:
        tiles.append(_tile(percent(found.overlap), "search overlap@10"))
    return tag("div", *tiles, class_="tiles")


def _tile(figure: str, what: str, kind: str = "") -> Markup:
    return tag("div", tag("b", figure), tag("span", what), class_=f"tile {kind}".strip())


def _sections(found: Comparison) -> list[Markup]:
    churn, sections = found.churn, [_makers(found.churn)]
    if churn.moves:
        sections.append(_moves(churn))
    if churn.labels:
        sections += [_labels(churn), _confusion(churn)]
    if churn.users:
        sections.append(_users(churn))
    if found.searches is not None:
        sections.append(searches(found.searches))
    if found.examples:
        sections.append(_examples(found))
    return sections


def _makers(churn: Churn) -> Markup:
    rows = [[before or "–", after or "–", number(count)] for (before, after), count in churn.makers[:_USERS]]
    note = f"{number(churn.gained)} had no label and have one now; {number(churn.emptied)} had some and have none."
    return section("Who made the labels", note, table(["before", "after", "memories"], rows))


def _moves(churn: Churn) -> Markup:
    note = "Memories on which the left label went and the right one came; the most frequent moves. Point at a ribbon."
    return section("Where labels went", note, tag("div", flow(churn.moves), class_="wide"))


def _labels(churn: Churn) -> Markup:
    shown = churn.labels[:_LABELS]
    left = sum(it.share > 0 for it in churn.labels[_LABELS:])
    note = "On how many memories each label went, came and stayed; the most changed first."
    if left:
        note += f" {many(left, 'more is', 'more are')} not shown."
    return section("Label by label", note, tag("div", label_bars(shown), class_="wide"))


def _confusion(churn: Churn) -> Markup:
    note = (
        "A row is a label before, a column one after. The diagonal stayed; elsewhere the row's label went where the "
        "column's came. Colours of the two are scaled apart."
    )
    return section("Confusion", note, tag("div", matrix(churn.pairs), class_="wide"))


def _users(churn: Churn) -> Markup:
    rows = [
        [short(user.user_id, 40), number(user.memories), number(user.changed), percent(user.share)]
        for user in churn.users[:_USERS]
        if user.changed
    ]
    names = ["0–", "10–", "20–", "30–", "40–", "50–", "60–", "70–", "80–", "90–"]
    plot = columns(churn.user_shares(), names, ("user", "users"), "Users by the share of their memories that changed")
    note = "Users by the share of their memories that changed, in percent; beside it those with most changes."
    listed = table(["user", "memories", "changed", "share"], rows) if rows else tag("p", "Nobody sees a change.")
    return section("User by user", note, tag("div", plot, listed, class_="two"))


def _examples(found: Comparison) -> Markup:
    note = f"{many(len(found.examples), 'memory', 'memories')} drawn by chance from those that change; always the same."
    return section("Examples", note, tag("div", *(_card(change) for change in found.examples), class_="cards"))


def _card(change: Change) -> Markup:
    chips = [
        *(tag("span", label, class_="chip gone") for label in change.removed),
        *(tag("span", label, class_="chip new") for label in change.added),
        *(tag("span", label, class_="chip") for label in change.kept),
    ]
    shown = change.text if len(change.text) <= _TEXT else change.text[:_TEXT].rstrip() + " …"
    who = f"{short(change.user_id, 40)} / {short(change.memory_id, 40)}"
    return tag("div", tag("p", shown, dir="auto"), together(chips), tag("p", who, class_="quiet"), class_="card")


def _footer() -> Markup:
    return tag(
        "footer",
        "Labels are compared as sets. A memory has changed when a label came or went; churn is the share that has. "
        "Nothing on this page was loaded from elsewhere, and it sends nothing.",
    )
