"""Where a page of a list ended, as a text that clients hand back. Pure.

A cursor holds no right: whose memories are listed is said by the path, and which of them by the filters, each time.
All that one who makes a cursor up can choose is where in this list to begin. It still names the list that it is of,
so that one which is used with another user, filter or order is refused and not misunderstood.
"""

import base64
import binascii
import json
from dataclasses import astuple
from hashlib import sha256
from typing import Any
from uuid import UUID

from hybrid_memory.index.listing import Listing, Place

_VERSION = 1
_FURTHEST = 2**53


class BadCursor(ValueError):  # noqa: N818
    """Not a cursor of this list."""


def to_cursor(place: Place, listing: Listing) -> str:
    """The cursor of a place in this list."""
    return opaque([_VERSION, _list_of(listing), place.value, place.id])


def from_cursor(text: str, listing: Listing) -> Place:
    """The place that a cursor of this list names.

    Raises:
        BadCursor: it is no cursor, or one of another user, filter or order.
    """
    version, of, value, id_ = parts_of(text, 4)
    if version != _VERSION or type(value) is not int or abs(value) > _FURTHEST or not _is_id(id_):
        raise BadCursor("this is no cursor; take the next_cursor of a reply")
    if of != _list_of(listing):
        raise BadCursor("this cursor is of another list; keep the filters and the order of the first page")
    return Place(value, id_)


def opaque(parts: list[Any]) -> str:
    """Parts that JSON can write, as one word."""
    written = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def parts_of(text: str, count: int) -> list[Any]:
    """The parts of which `opaque` made this, or as many Nones where it is no such word."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    return parts if isinstance(parts, list) and len(parts) == count else [None] * count


def _is_id(text: object) -> bool:
    try:
        return isinstance(text, str) and str(UUID(text)) == text
    except ValueError:
        return False


def _list_of(listing: Listing) -> str:
    """Which list this is; the same in every process."""
    named = json.dumps([listing.user_id, listing.order, *astuple(listing.filter)])
    return sha256(named.encode()).hexdigest()[:16]
