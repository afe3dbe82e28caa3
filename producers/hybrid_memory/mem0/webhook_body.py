"""What a webhook's body hints at. Pure.

Mem0 documents two shapes; both are taken, and what is around them is not looked at.
"""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from hybrid_memory.mem0.hints import hint
from hybrid_memory.schemas.mem0 import Mem0Hint, Mem0Scope

_IDS = ("memory_id", "id")
_OWNERS = ("user_id", "agent_id", "app_id", "run_id")
_OF_JOBS = re.compile(r"ingest_job_[a-z_]+")
_MOST = 1000


class NoHint(ValueError):  # noqa: N818
    """The body is none of the platform's; the message says why, and repeats nothing of it."""


def hints_of(body: Any) -> list[Mem0Hint]:
    """The hints that a body gives: none where it tells of a job, whose memories are told of one by one.

    Raises:
        NoHint: it names no memory.
    """
    found = list(_hints(body))
    if len(found) > _MOST:
        raise NoHint(f"more than {_MOST} memories in one call")
    if not found and not _of_a_job(body):
        raise NoHint("no memory is named: there is neither event_details.id nor memory_id")
    return list({one.mem0_id: one for one in found}.values())


def _hints(body: Any) -> Iterator[Mem0Hint]:
    if isinstance(body, list):
        for item in body:
            yield from _hints(item)
    elif isinstance(body, dict):
        details = body.get("event_details")
        if isinstance(details, dict | list):
            yield from _hints(details)
        elif not _of_a_job(body) and (mem0_id := _text(body, _IDS)) is not None:
            yield _hint(mem0_id, body)


def _hint(mem0_id: str, body: dict[str, Any]) -> Mem0Hint:
    owners = {owner: body[owner] for owner in _OWNERS if isinstance(body.get(owner), str) and body[owner]}
    try:
        return hint(mem0_id, "webhook", scope=Mem0Scope(**owners) if owners else None)
    except ValidationError:
        raise NoHint("the memory's id is none of Mem0's") from None


def _of_a_job(body: Any) -> bool:
    details = body.get("event_details") if isinstance(body, dict) else None
    event = details.get("event") if isinstance(details, dict) else body.get("event") if isinstance(body, dict) else None
    return isinstance(event, str) and _OF_JOBS.fullmatch(event.lower()) is not None


def _text(body: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((body[name] for name in names if isinstance(body.get(name), str)), None)
