"""Reads a listing of the platform to its end, although it shifts while it is read. Pure but for the pages it asks for.

The order of a listing is not documented, only that it has one. What was last changed before a moment that has passed
can only become less: rows leave by a change or a deletion, and those behind them move up. Read from its last page to
its first, such a listing shows every row that stays. What was changed since is read in the same way up to a later
moment, and so on, until only the last moments are left: these are read again until they bring nothing new.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

MARGIN = timedelta(seconds=60)
"""How far the platform's clock may be behind ours; what is younger may still come into the listing."""
_PASSES = 5


class Row(Protocol):
    """A memory as it is listed."""

    @property
    def id(self) -> str: ...


_Row = TypeVar("_Row", bound=Row)


@dataclass(frozen=True, slots=True)
class RowPage(Generic[_Row]):
    """A page, and, with the first, how many rows the listing has in all."""

    count: int
    rows: Sequence[_Row]


@dataclass(frozen=True, slots=True)
class Span:
    """Rows last changed from `since` to before `until`; None: no bound."""

    since: datetime | None = None
    until: datetime | None = None


ReadSpan = Callable[[Span, int], RowPage[_Row]]
"""The page of this number, from 1, of the rows of a span; one beyond the end is empty."""


def sweep(read: ReadSpan[_Row], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Sequence[_Row]]:
    """Every row that is there from beginning to end, page by page; one that changes meanwhile may come again."""
    since, until = None, clock() - MARGIN
    while since is None or until - since > MARGIN:
        yield from _shrinking(read, Span(since, until))
        since, until = until, clock() - MARGIN
    yield from _growing(read, Span(since))


def _shrinking(read: ReadSpan[_Row], span: Span) -> Iterator[Sequence[_Row]]:
    first = read(span, 1)
    if len(first.rows) >= first.count:
        yield first.rows
        return
    for number in range(_pages(first), 0, -1):
        yield read(span, number).rows


def _growing(read: ReadSpan[_Row], span: Span) -> Iterator[Sequence[_Row]]:
    seen: set[str] = set()
    for _ in range(_PASSES):
        before, number, page = len(seen), 1, read(span, 1)
        pages = _pages(page)
        while page.rows:
            yield page.rows
            seen.update(row.id for row in page.rows)
            number += 1
            page = read(span, number) if number <= pages else RowPage(0, ())
        if pages == 1 or len(seen) == before:
            return


def _pages(full: RowPage[_Row]) -> int:
    """How many pages there are, by one that is full unless it is the only one."""
    return -(-full.count // max(1, len(full.rows)))
