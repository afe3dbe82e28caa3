"""Pages through a user's memories in any store that can order by one number: in three questions at most.

Points with the same number are in the order of their ids. Stores do not promise that of an ordered list that is cut
off, so the points of its last number are asked for once more, by id.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hybrid_memory.index.filters import NO_FILTER, Filter
from hybrid_memory.index.points import Point

Order = Literal["newest", "oldest", "created_at", "-created_at"]
"""`newest`, `oldest`: by when the memory was last written, as the log says; `created_at`: by its own date."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last memory's number, and its point's id."""

    value: int
    id: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of one user's live memories. `now` (ms) hides what has expired; without it, that is listed too."""

    user_id: str
    limit: int
    now: int | None = None
    filter: Filter = NO_FILTER
    order: Order = "newest"
    after: Place | None = None

    @property
    def field(self) -> Literal["appended_at", "created_at"]:
        """The payload field that orders it."""
        return "created_at" if self.order.endswith("created_at") else "appended_at"

    @property
    def descending(self) -> bool:
        """Whether the greatest number comes first."""
        return self.order in ("newest", "-created_at")


class Lister(ABC):
    """What a store can be asked within one page. Whose memories, and which of them, is its matter."""

    @abstractmethod
    def ordered(self, beyond: int | None, limit: int) -> list[Point]:
        """The first points by the listing's field, those alone that come after this number, where it is given."""

    @abstractmethod
    def tied(self, value: int, after: str | None, limit: int) -> list[Point]:
        """The first points with just this number, in the order of their ids, after this id where it is given."""


def list_page(lister: Lister, listing: Listing) -> tuple[list[Point], Place | None]:
    """The page, and where the next one begins (None: there is none).

    Raises:
        RuntimeError: the store answered with another user's memory.
    """
    wanted = listing.limit + 1  # one more tells whether there is another page
    after = listing.after
    found = lister.tied(after.value, after.id, wanted) if after is not None else []
    if len(found) < wanted:
        found += _ordered(lister, listing, wanted - len(found))
    _check_owner(found, listing.user_id)
    page = found[: listing.limit]
    more = len(found) > listing.limit
    return page, Place(number_of(page[-1], listing), page[-1].id) if more else None


def number_of(point: Point, listing: Listing) -> int:
    """The number by which the listing has a live point at its place."""
    if listing.field == "appended_at":
        return point.appended_at
    assert point.memory is not None
    return milliseconds(point.memory.created_at)


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


def _ordered(lister: Lister, listing: Listing, wanted: int) -> list[Point]:
    found = lister.ordered(None if listing.after is None else listing.after.value, wanted)
    sign = -1 if listing.descending else 1
    found.sort(key=lambda point: (sign * number_of(point, listing), point.id))
    if len(found) < wanted:
        return found
    last = number_of(found[-1], listing)
    whole = [point for point in found if number_of(point, listing) != last]
    return whole + lister.tied(last, None, wanted - len(whole))


def _check_owner(points: Sequence[Point], user_id: str) -> None:
    for point in points:
        if point.memory is None or point.memory.user_id != user_id:
            raise RuntimeError(f"the index answered a list with what is not that user's memory: point {point.id}")
