"""What of the platform's event feed is new. Pure.

The feed documents neither its order nor how late an event may appear, and its pages shift while they are read. So each
look goes back over an overlap, and what was seen before is dropped by its id.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """Something happened to a memory; `at` is the platform's own time."""

    id: str
    memory_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page, and how many events the feed has in all."""

    count: int
    events: Sequence[FeedEvent]


ReadPage = Callable[[int], FeedPage]
"""The page of this number, from 1; one beyond the end is empty."""


@dataclass(slots=True)
class Window:
    """The end of the feed: `newest` is the time of the latest event that was dealt with, None before the first."""

    overlap: timedelta
    newest: datetime | None = None
    _seen: dict[str, datetime] = field(default_factory=dict)
    _found: dict[str, datetime] = field(default_factory=dict)

    @property
    def horizon(self) -> datetime | None:
        """What is older is known; None: nothing is."""
        return None if self.newest is None else self.newest - self.overlap

    def fresh(self, events: Sequence[FeedEvent]) -> list[FeedEvent]:
        """Those that are new. They count as known only after `settle`."""
        new = [event for event in events if not self._is_old(event) and not self._is_known(event)]
        self._found.update((event.id, event.at) for event in new)
        return list({event.id: event for event in new}.values())

    def passed(self, events: Sequence[FeedEvent]) -> bool:
        """Whether a page lies wholly before the horizon."""
        return all(self._is_old(event) for event in events)

    def start(self) -> None:
        """A new look begins; what an unfinished one found is new again."""
        self._found.clear()

    def settle(self) -> None:
        """All that was found is dealt with: the window moves on."""
        self._seen.update(self._found)
        self._found.clear()
        self.newest = max((*self._seen.values(), *([self.newest] if self.newest else [])), default=None)
        self._seen = {name: at for name, at in self._seen.items() if self.horizon is None or at >= self.horizon}

    def _is_old(self, event: FeedEvent) -> bool:
        return self.horizon is not None and event.at < self.horizon

    def _is_known(self, event: FeedEvent) -> bool:
        return event.id in self._seen or event.id in self._found


class Feed:
    """Reads the feed from its new end, whichever end that is."""

    def __init__(self, read: ReadPage) -> None:
        self._read = read
        self._newest_first: bool | None = None
        """None while all events are of one moment."""

    def newest(self) -> datetime | None:
        """The time of the latest event; None where there is none."""
        first = self._read(1)
        events = [*first.events, *self._last(first).events]
        return max((event.at for event in events), default=None)

    def look(self, window: Window) -> Iterator[list[FeedEvent]]:
        """The events that the window does not know, a page at a time. Where this is read to its end, and all is dealt
        with, `settle` the window; else look again."""
        window.start()
        first = self._read(1)
        self._find_order(first)
        pages = (
            self._down(first, window) if self._newest_first is False else self._up(1, first, len(first.events), window)
        )
        for page in pages:
            yield window.fresh(page.events)

    def _up(self, number: int, page: FeedPage, size: int, window: Window | None = None) -> Iterator[FeedPage]:
        """The pages from this one on to the last that there is by then, each of at least so many events but for the
        last: what the feed grows by pushes events to pages that are still to be read, so none is missed. Given a
        window, it ends where that is passed."""
        while True:
            yield page
            size = max(size, len(page.events))
            if window is not None and self._newest_first is not None and window.passed(page.events):
                return
            number += 1
            if number > _count(page.count, size):
                return
            page = self._read(number)

    def _down(self, first: FeedPage, window: Window) -> Iterator[FeedPage]:
        """The pages from the last on to the first that the window has passed; where the feed grew meanwhile, they once
        more the other way: an event that came late may have pushed another to a page that was read before."""
        for number in range(_count(first.count, len(first.events)), 0, -1):
            page = self._read(number)
            yield page
            if window.passed(page.events):
                break
        if page.count != first.count:
            yield from self._up(number, self._read(number), len(first.events))

    def _find_order(self, first: FeedPage) -> None:
        if self._newest_first is None and _count(first.count, len(first.events)) > 1:
            last = self._last(first)
            begin, end = (max((event.at for event in page.events), default=None) for page in (first, last))
            if begin is not None and end is not None and begin != end:
                self._newest_first = begin > end

    def _last(self, first: FeedPage) -> FeedPage:
        number = _count(first.count, len(first.events))
        return self._read(number) if number > 1 else first


def _count(events: int, size: int) -> int:
    """How many pages so many events make."""
    return max(1, -(-events // max(1, size)))
