"""Rounds of reconciliation: the log is read, Mem0 is listed, and every difference is hinted at or shown."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.mem0.comparison import Comparison, Difference
from hybrid_memory.mem0.intake import group_of
from hybrid_memory.mem0.listing import Listed, Listing
from hybrid_memory.mem0.mapping import Rule, Unmappable, to_memory, user_of
from hybrid_memory.mem0.opening import Opened, opened
from hybrid_memory.mem0.patience import until_done
from hybrid_memory.mem0.reconcile import Found, Hinter, Tally, differences
from hybrid_memory.mem0.states import from_platform
from hybrid_memory.mem0.there import There
from hybrid_memory.mem0.told import Told
from hybrid_memory.mem0.view import View
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, DecodeError, Memory, Record
from hybrid_memory.schemas.mem0 import Mem0Hint, Mem0Scope, decode_mem0


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What is to be reconciled: all of a project, or these users of Mem0's."""

    users: tuple[str, ...] | None = None
    classify: bool = False
    dry_run: bool = False


class Display(Protocol):
    """Hears how far a round has come."""

    def begin(self, total: int) -> None: ...

    def show(self, tally: Tally) -> None: ...


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to. `waiting`: hints that the publisher has not followed yet; `shown`: of a dry run, the first
    differences."""

    project: str
    tally: Tally
    seconds: float
    waiting: int = 0
    shown: Sequence[Difference] = ()


class Sync:
    """Reconciles one project, round by round. What was done is in Kafka: whoever begins anew finds only the rest."""

    def __init__(
        self,
        parts: Opened,
        view: View,
        request: SyncRequest,
        classifier: Classifier | None,
        stop: threading.Event,
    ) -> None:
        self._parts, self._view, self._request = parts, view, request
        self._classifier, self._stop = classifier, stop
        self._told = Told(parts.log)

    def round(self, display: Display, most_shown: int = 50, keep_up: Callable[[], None] = lambda: None) -> Round:
        """Compare everything once. A dry run gives the first differences; `keep_up` is called between hints, and waits
        for who follows them.

        Raises:
            Stopped: we were told to stop; the next round finds the rest.
            Refusal: Mem0, Kafka or the classifier cannot be had; the same holds.
        """
        began, tally = time.monotonic(), Tally()
        until_done(self._view.catch_up, self._stop)
        with closing(Comparison(self._view.there)) as comparison:
            until_done(lambda: self._wait_for_hints(comparison), self._stop)
            listing = Listing(self._parts, self._request.users, self._stop)
            display.begin(listing.count())
            pages = _shown(listing.pages(), tally, display)
            found = _owed(differences(pages, comparison, self._parts.rule, self._users()), tally)
            shown = list(_first(found, most_shown)) if self._request.dry_run else self._hint(found, tally, keep_up)
        return Round(self._parts.project, tally, time.monotonic() - began, self.waiting(), shown)

    def ends(self) -> Mapping[int, int]:
        """Where each partition of the hints ends now.

        Raises:
            Stopped: we were told to stop.
        """
        return until_done(lambda: self._parts.log.cluster.ends(self._parts.hints), self._stop)

    def waiting(self, ends: Mapping[int, int] | None = None) -> int:
        """How many hints no publisher has followed yet: of all, or of those before `ends`. Raises as `ends`."""
        spans = until_done(self._unfollowed, self._stop)
        return sum(max(0, (end if ends is None else ends[number]) - begin) for number, (begin, end) in spans.items())

    def _hint(self, found: Iterator[Found], tally: Tally, keep_up: Callable[[], None]) -> Sequence[Difference]:
        until_done(self._told.catch_up, self._stop)
        Hinter(self._parts, self._classifier, self._told, tally, self._stop).hint_at(found, keep_up)
        return ()

    def _users(self) -> set[str] | None:
        """The users of ours that are to be looked at."""
        if self._request.users is None:
            return None
        return {user_of(Mem0Scope(user_id=user), self._parts.rule) for user in self._request.users}

    def _wait_for_hints(self, comparison: Comparison) -> None:
        for record in self._parts.log.read(self._parts.hints, self._unfollowed()):
            memory = _carried(record, self._parts.rule)
            if memory is not None:
                comparison.wait_for(memory)

    def _unfollowed(self) -> dict[int, tuple[int, int]]:
        """The hints that no publisher has followed yet."""
        parts = self._parts
        done = parts.log.cluster.committed_by(group_of(parts.settings, parts.project), [parts.hints])
        whole = parts.log.whole(parts.hints)
        return {number: (done.get((parts.hints.name, number), begin), end) for number, (begin, end) in whole.items()}


@contextmanager
def opened_sync(settings: Settings, request: SyncRequest, stop: threading.Event) -> Iterator[Sync]:
    """Everything that reconciliation needs, closed in the end.

    Raises:
        Refusal: it cannot begin; nothing was changed.
    """
    with ExitStack() as stack:
        parts = stack.enter_context(opened(settings))
        classifier = _classifier(settings) if request.classify and not request.dry_run else None
        if classifier is not None:
            stack.callback(classifier.close)
        memories = parts.log.topic(settings.topic_prefix + MEMORIES)
        view = View(settings, parts.log.cluster, memories, There(parts.rule))
        stack.callback(view.close)
        yield Sync(parts, view, request, classifier, stop)


def _carried(record: Record, rule: Rule) -> Memory | None:
    """The memory that a hint of this project carries; what cannot be read is the publisher's matter."""
    try:
        event = decode_mem0(record)
        if isinstance(event, Mem0Hint) and event.project in (None, rule.origin) and event.read is not None:
            return to_memory(from_platform(event.read.memory), rule)
    except (DecodeError, Unmappable, ValueError):
        pass
    return None


def _shown(pages: Iterator[Sequence[Listed]], tally: Tally, display: Display) -> Iterator[Sequence[Listed]]:
    for rows in pages:
        yield rows
        tally.listed += len(rows)
        display.show(tally)


def _owed(found: Iterator[Found], tally: Tally) -> Iterator[Found]:
    """All of these, but for what waits for the publisher already."""
    for one in found:
        tally.count(one.difference)
        if not one.difference.hinted:
            yield one


def _first(found: Iterator[Found], most: int) -> Iterator[Difference]:
    """The first of these; all are counted."""
    for number, one in enumerate(found):
        if number < most:
            yield one.difference


def _classifier(settings: Settings) -> Classifier:
    from hybrid_memory.classifier.remote.service import open_service

    if settings.mem0.categories == "provided":
        raise Refusal("HM_MEM0__CATEGORIES=provided makes Mem0's categories the classifiers; leave out --classify")
    return open_service(settings)
