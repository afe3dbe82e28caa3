"""All that the platform lists: of users, agents, runs and apps, or of given users, each page with what a hint needs."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybrid_memory.mem0.hints import hint_partition
from hybrid_memory.mem0.opening import Opened
from hybrid_memory.mem0.patience import until_done
from hybrid_memory.mem0.platform_api import Page
from hybrid_memory.mem0.states import Mem0Memory
from hybrid_memory.mem0.sweep import RowPage, Span, sweep
from hybrid_memory.runtime.errors import Refusal

_LOG = logging.getLogger(__name__)
_ENTITIES = ("user_id", "agent_id", "app_id", "run_id")

Filters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A memory as it was listed; `hints_end` is where the partition of its hints ended before."""

    id: str
    state: Mem0Memory
    hints_end: int


class Listing:
    """Reads it once. What is away for a while is waited for, until `stop` is set."""

    def __init__(self, parts: Opened, users: Sequence[str] | None, stop: threading.Event) -> None:
        self._parts, self._stop = parts, stop
        # A wildcard means only those that have such an id, so each kind of owner is listed for itself.
        self._filters: list[Filters] = (
            [{entity: "*"} for entity in _ENTITIES] if users is None else [{"user_id": user} for user in users]
        )
        self._counts: dict[int, int] = {}

    def count(self) -> int:
        """How many memories it has now; one that has several owners is counted for each.

        Raises:
            Stopped, Refusal: as `pages`.
        """
        self._counts = {number: self._count(filters) for number, filters in enumerate(self._filters)}
        return sum(self._counts.values())

    def pages(self) -> Iterator[Sequence[Listed]]:
        """Page by page; a memory may come more than once.

        Raises:
            Stopped: we were told to stop.
            Refusal: the platform does not let us in, or does not answer as it should.
        """
        for number, filters in enumerate(self._filters):
            seen = 0
            for rows in sweep(lambda span, page, filters=filters: self._read(filters, span, page)):  # type: ignore[misc]
                seen += len(rows)
                yield rows
            self._check(number, filters, seen)

    def _read(self, filters: Filters, span: Span, number: int) -> RowPage[Listed]:
        ends = until_done(lambda: self._parts.log.cluster.ends(self._parts.hints), self._stop)
        page = self._page({"AND": [filters, _bounds(span)]}, number)
        partitions = self._parts.hints.partitions
        rows = [Listed(one.id, one, ends[hint_partition(one.id, partitions)]) for one in page.memories]
        return RowPage(_counted(page) if number == 1 else len(rows), rows)

    def _count(self, filters: Filters) -> int:
        return _counted(self._page(filters, 1))

    def _page(self, filters: Filters, number: int) -> Page:
        return until_done(lambda: self._parts.api.page(filters, number), self._stop)

    def _check(self, number: int, filters: Filters, seen: int) -> None:
        """Say so where the platform lists less than it counts: then some have no time of their last change."""
        if seen < self._counts.get(number, 0) and seen < (now := self._count(filters)):
            _LOG.warning("Mem0 counts %s memories of %s and lists %s", now, next(iter(filters)), seen)


def _counted(page: Page) -> int:
    if page.count is None:
        raise Refusal("Mem0 lists memories without their number; is HM_MEM0__URL its platform?")
    return page.count


def _bounds(span: Span) -> Filters:
    bounds = {"gte": span.since, "lt": span.until}
    return {"updated_at": {name: bound.isoformat() for name, bound in bounds.items() if bound is not None}}
