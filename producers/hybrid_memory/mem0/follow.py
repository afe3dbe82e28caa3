"""Follows the platform's event feed: a hint for every event, and a bookmark behind them."""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from hybrid_memory.mem0.bookmarks import find_bookmark
from hybrid_memory.mem0.feed import Feed, FeedEvent, FeedPage, Window
from hybrid_memory.mem0.hints import hint, send
from hybrid_memory.mem0.opening import Opened, opened
from hybrid_memory.mem0.patience import Stopped, until_done
from hybrid_memory.mem0.platform_api import Event
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.mem0 import Mem0Bookmark, Mem0Event, Mem0Hint

_LOG = logging.getLogger(__name__)
READER = "feed"


class Follower:
    """One look after another; each begins where the last that was finished ended, here or on another machine.

    What is away for a while is waited for, until `stop` is set.
    """

    def __init__(self, parts: Opened, stop: threading.Event) -> None:
        self._parts, self._stop = parts, stop
        self._feed = Feed(self._page)
        self._window: Window | None = None
        self._kept: datetime | None = None

    def look(self) -> int:
        """Hint at what is new in the feed, and keep the place; how many events that were.

        Raises:
            Stopped: we were told to stop; nothing is lost.
            Refusal: it will not get better by itself; nothing is lost.
        """
        window = self._window = self._window or self._begin()
        found = 0
        for events in self._feed.look(window):
            self._send(list(self._hints(events)))
            found += len(events)
        window.settle()
        if window.newest != self._kept:
            self._write(window)
        return found

    def _begin(self) -> Window:
        """Where the bookmark says, else at the end of the feed: what was before is for `hm mem0 sync`."""
        overlap = timedelta(seconds=self._parts.settings.mem0.feed_overlap_seconds)
        place = until_done(lambda: find_bookmark(self._parts, READER), self._stop)
        if place is not None:
            newest = place.get("newest")
            self._kept = datetime.fromisoformat(newest) if isinstance(newest, str) else None
            _LOG.info("following the feed from %s on", newest or "its beginning", extra=self._about)
            return Window(overlap, self._kept)
        window = Window(overlap, self._feed.newest())
        _LOG.info("following the feed from now on; what was before comes with: hm mem0 sync", extra=self._about)
        self._write(window)
        return window

    def _write(self, window: Window) -> None:
        newest = window.newest.isoformat() if window.newest is not None else None
        mark = Mem0Bookmark(project=self._parts.project, reader=READER, at=datetime.now(UTC), place={"newest": newest})
        self._send([mark])
        self._kept = window.newest

    def _send(self, events: Sequence[Mem0Event]) -> None:
        until_done(lambda: send(self._parts.publisher, events), self._stop)

    def _page(self, number: int) -> FeedPage:
        page = until_done(lambda: self._parts.api.events(number), self._stop)
        if page.count is None:
            raise Refusal("Mem0's event feed does not say how many events it has; is HM_MEM0__URL its platform?")
        return FeedPage(page.count, [_event(event) for event in page.events])

    def _hints(self, events: Iterable[FeedEvent]) -> Iterator[Mem0Hint]:
        for memory_id in dict.fromkeys(event.memory_id for event in events):
            try:
                yield hint(memory_id, "feed", project=self._parts.project)
            except ValidationError:
                _LOG.warning("the feed names a memory whose id cannot be one", extra=self._about)

    @property
    def _about(self) -> dict[str, Any]:
        return {"project": self._parts.project}


def follow(settings: Settings, stop: threading.Event) -> None:
    """Follow until `stop` is set. What is away for a while is waited for.

    Raises:
        Refusal: it cannot go on until somebody mends what the sentence says. Nothing is lost.
    """
    try:
        with opened(settings, stop) as parts:
            follower = Follower(parts, stop)
            while not stop.is_set():
                found = follower.look()
                if found:
                    _LOG.info("hinted at %s events", found, extra={"project": parts.project})
                stop.wait(settings.mem0.feed_seconds)
    except Stopped:
        return


def _event(event: Event) -> FeedEvent:
    """An event without a time that can be read counts as one of now."""
    try:
        said = datetime.fromisoformat(event.created_at or "")
    except ValueError:
        said = datetime.now(UTC)
    return FeedEvent(event.id, event.memory_id, said if said.tzinfo else said.replace(tzinfo=UTC))
