"""A request as people write it, on a command line or over HTTP, checked. Pure."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from hybrid_memory.replay.starting import ReplayRequest
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import describe
from hybrid_memory.schemas.replays import ReplayFilters


def request_of(
    *,
    users: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    partitions: Sequence[int] | None = None,
    first: Sequence[str] | None = None,
    last: Sequence[str] | None = None,
    stale: bool = False,
    labels: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    generation: int | None = None,
    shadow: bool = False,
    rate: float | None = None,
    yield_to_live: int | None = None,
) -> ReplayRequest:
    """What was asked for. Offsets are written PARTITION:OFFSET; a time without a zone is this machine's.

    Raises:
        Refusal: a value cannot be; the sentence says which.
    """
    try:
        filters = ReplayFilters.model_validate(
            {
                "users": users or (),
                "keys": keys or (),
                "since": _aware(since, "--since"),
                "until": _aware(until, "--until"),
                "stale": stale,
                "labels": labels or (),
                "sources": sources or (),
            }
        )
    except ValidationError as error:
        raise Refusal(f"this replay cannot be: {describe(error)}") from None
    return ReplayRequest(
        filters=filters,
        generation=generation,
        shadow=shadow,
        rate=rate,
        yield_to_live=yield_to_live,
        partitions=frozenset(partitions or ()),
        first=dict(map(_place, first or ())),
        last=dict(map(_place, last or ())),
    )


def _aware(moment: datetime | None, name: str) -> datetime | None:
    try:
        return moment if moment is None or moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError):
        raise Refusal(f"{name}: {moment} lies outside the years that this machine's time zone reaches") from None


def _place(text: str) -> tuple[int, int]:
    partition, colon, offset = text.partition(":")
    digits = partition + offset
    if not (colon and partition and offset and digits.isascii() and digits.isdigit()) or len(text) > 27:
        raise Refusal(f"{text!r} is not of the form PARTITION:OFFSET")
    return int(partition), int(offset)
