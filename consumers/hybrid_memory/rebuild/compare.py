"""Whether a new index says what the one that serves says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybrid_memory.index.summary import Summary, Version


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was compared."""

    what: str
    serving: str
    new: str
    same: bool


def compare(serving: Summary, new: Summary, found: Mapping[str, Version | None], ahead: int) -> list[Row]:
    """What both say of the same stretch of the log. `found` is what the new one has of the serving one's sample.

    The new one stands at the end of that stretch. Where the serving one was written to while it was looked at, figures
    may differ by as many as were written, and points may be newer. So they may by the records `ahead`, which neither
    has applied: the new one takes what the serving one has refused until it comes to the answer, which may be there.
    """
    slack = serving.moved + ahead
    rows = [Row("log", serving.log, new.log, serving.log == new.log)] if serving.log != new.log else []
    rows += [
        _count("memories", serving.memories, new.memories, slack),
        _count("users", serving.users, new.users, slack),
        _count("deleted lately", serving.tombstones, new.tombstones, slack),
    ]
    others = [key for key, version in serving.sample.items() if not _agrees(version, key, found, slack > 0)]
    agree = len(serving.sample) - len(others)
    return [*rows, Row("points, a sample", f"{len(serving.sample):,}", f"{agree:,} the same", not others)]


def differs(rows: Sequence[Row]) -> bool:
    """Whether anything does."""
    return not all(row.same for row in rows)


def _count(what: str, serving: int, new: int, slack: int) -> Row:
    return Row(what, f"{serving:,}", f"{new:,}", abs(serving - new) <= slack)


def _agrees(version: Version, key: str, found: Mapping[str, Version | None], moved: bool) -> bool:
    if key not in found:
        return False
    now = found[key]
    if now is None:  # deleted
        return moved
    return now == version or (moved and now > version)
