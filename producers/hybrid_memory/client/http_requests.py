"""What the HTTP clients ask for: each call as a request that is not yet sent. Pure, the same for both clients."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypedDict
from urllib.parse import quote

from hybrid_memory.client.drafts import Draft
from hybrid_memory.client.errors import InvalidCall
from hybrid_memory.runtime.settings import sendable
from hybrid_memory.schemas import Memory, Position

AT_ONCE = 1000
"""Memories in one import."""
RETRIED_STATUSES = (429, 503)
_LONGEST_PAUSE = 30.0
_DEAD = "/v1/dead-letters"
_READS_ALL = 60.0  # seconds more: every call reads whole topics
_SEARCH_WAITS = 5000  # milliseconds, where it is not told

Order = Literal["newest", "oldest", "created_at", "-created_at"]


class FilterFields(TypedDict, total=False):
    """Which memories to show; all that is given must hold."""

    classifiers_any: Sequence[str]
    classifiers_all: Sequence[str]
    topic: str | None
    type: str | None
    state: Literal["provisional", "final"] | None
    metadata: Mapping[str, str | int | float | bool | None]
    created_from: datetime | None
    created_to: datetime | None


class PatchFields(TypedDict, total=False):
    """What to change; what is not named stays, and None is as in the API: back to where nobody gives it."""

    text: str
    topic: str | None
    type: str | None
    classifiers: Iterable[str] | None
    pinned: bool
    metadata: Mapping[str, Any] | None
    expires_at: datetime | None


class LetterFields(TypedDict, total=False):
    """Which dead letters are meant; all that is given must hold. `older_than` is written 90s, 15m, 1h, 2d or 3w."""

    topic: str | None
    error_class: str | None
    stage: str | None
    older_than: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `again`: whether it may be sent again without asking; what is not, is an edit. `patience`: how many
    seconds more than others it may take.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = True
    patience: float = 0.0


def add(user_id: str, text: str, fields: Mapping[str, Any], wait: bool) -> Request:
    """Raises InvalidMemory: a field breaks its limits."""
    memory = Draft.checked({"user_id": user_id, "text": text, **fields}).to_memory()
    return Request("POST", "/add_memory", _waiting(wait), _of_memory(memory))


def import_many(user_id: str, memories: Sequence[Mapping[str, Any]], wait: bool) -> Request:
    """One import; the service checks each memory, and answers for each."""
    return Request("POST", _memories(user_id), _waiting(wait), {"memories": [_json(memory) for memory in memories]})


def get(user_id: str, memory_id: str) -> Request:
    """Of one memory."""
    return Request("GET", _memory(user_id, memory_id))


def page(user_id: str, order: Order, limit: int, wanted: FilterFields) -> Request:
    """Of the first page; `at` is of the next ones.

    Raises:
        InvalidCall: `wanted` has what is no field of a filter; so all that take fields by name.
    """
    _check("list", wanted, FilterFields, "order", "page_size")
    params = _present({**_json(wanted), "order": order, "limit": limit})
    if "metadata" in params:
        params["metadata"] = json.dumps(params["metadata"])
    return Request("GET", _memories(user_id), params)


def at(cursor: str, page: Request) -> Request:
    """Of the page that a cursor of another one tells."""
    return replace(page, params={**page.params, "cursor": cursor})


def update(user_id: str, memory_id: str, fields: PatchFields, if_match: str | None, wait: bool) -> Request:
    """Of an edit. It is not sent again by itself: where the first one won, a second would find another version."""
    _check("update", fields, PatchFields, "if_match", "wait")
    headers = {"If-Match": if_match} if if_match is not None else {}
    return Request("PATCH", _memory(user_id, memory_id), _waiting(wait), _json(fields), headers, again=False)


def delete(user_id: str, memory_id: str, if_match: str | None, wait: bool) -> Request:
    """Of one deletion; that of a version is not sent again by itself."""
    headers = {"If-Match": if_match} if if_match is not None else {}
    return Request("DELETE", _memory(user_id, memory_id), _waiting(wait), headers=headers, again=if_match is None)


def delete_all(user_id: str, wait: bool) -> Request:
    """Of all memories of a user."""
    return Request("DELETE", _memories(user_id), _waiting(wait), patience=60.0)


def search(
    user_id: str, context: str, wanted: FilterFields, positions: Iterable[Position | str], **given: Any
) -> Request:
    """Of a search; `given` are further fields of its body."""
    _check("search", wanted, FilterFields, "after", *given)
    body = _present({"context": context, **given}) | {"filter": _present(_json(wanted))}
    body["position"] = [str(position) for position in positions]
    patience = body.get("wait_ms", _SEARCH_WAITS) / 1000 if body["position"] else 0.0
    return Request("POST", f"{_user(user_id)}/search", body=body, patience=patience)


def dead_letters(wanted: LetterFields, limit: int) -> Request:
    """Of the first page of dead letters; `at` is of the next ones."""
    _check("dead_letters", wanted, LetterFields, "page_size")
    return Request("GET", _DEAD, _present({**wanted, "limit": limit}), patience=_READS_ALL)


def dead_letter(letter: str) -> Request:
    """Of one dead letter, as TOPIC:PARTITION:OFFSET."""
    return Request("GET", "/".join([_DEAD, *map(_segment, letter.split(":"))]), patience=_READS_ALL)


def redrive(letters: Sequence[str] | None, wanted: LetterFields, **given: Any) -> Request:
    """Of a redrive; one that was cut off may be sent again."""
    _check("redrive", wanted, LetterFields, "letters", *given)
    return Request("POST", f"{_DEAD}/redrive", body=_meant(letters, wanted, given), patience=_READS_ALL)


def drop(letters: Sequence[str] | None, wanted: LetterFields, **given: Any) -> Request:
    """Of letters that are dropped for good."""
    _check("drop_dead_letters", wanted, LetterFields, "letters", *given)
    return Request("POST", f"{_DEAD}/drop", body=_meant(letters, wanted, given), patience=_READS_ALL)


def _check(verb: str, given: Mapping[str, Any], fields: type, *others: str) -> None:
    """Python lets any keyword through where some are fields, and the service speaks of its own names."""
    unknown = [name for name in given if name not in fields.__annotations__]
    if unknown:
        known = ", ".join((*others, *fields.__annotations__))
        raise InvalidCall(f"{verb} has no argument {unknown[0]}; by name it takes {known}")


def _meant(letters: Sequence[str] | None, wanted: LetterFields, given: Mapping[str, Any]) -> dict[str, Any]:
    """Letters by name or, without names, by filter."""
    if letters is not None and wanted:
        raise InvalidCall("name letters one by one, or by a filter, but not both")
    which = {"filter": _present(dict(wanted))} if letters is None else {"letters": list(letters)}
    return {**which, **_present(given)}


def auth_headers(api_key: str | None, token: str | None) -> dict[str, str]:
    """At most one of both; an empty one is none.

    Raises:
        ValueError: both are given, or one cannot stand in a header.
    """
    key, token = sendable(api_key or "", "an API key"), sendable(token or "", "a token")
    if key and token:
        raise ValueError("give an API key or a token, not both")
    return {"Authorization": f"Bearer {key or token}"} if key or token else {}


def pause_before(attempt: int, retry_after: float | None) -> float:
    """Seconds before attempt 1, 2, …: what the service asks for, else longer each time."""
    asked = retry_after if retry_after is not None else 0.1 * 2.0**attempt
    return min(asked, _LONGEST_PAUSE)


def seconds(retry_after: str | None) -> float | None:
    """A `Retry-After` in seconds; one that is a date is not of our service."""
    return float(retry_after) if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else None


def _user(user_id: str) -> str:
    return f"/v1/users/{_segment(user_id)}"


def _memories(user_id: str) -> str:
    return f"{_user(user_id)}/memories"


def _memory(user_id: str, memory_id: str) -> str:
    return f"{_memories(user_id)}/{_segment(memory_id)}"


def _segment(id_: str) -> str:
    """The id within its segment of a path; one of dots alone would be taken for a step up."""
    return quote(id_, safe="") if id_.strip(".") else id_.replace(".", "%2E")


def _waiting(wait: bool) -> dict[str, str]:
    return {} if wait else {"wait": "false"}


def _of_memory(memory: Memory) -> dict[str, Any]:
    """All but what the service would take for given: without classifiers, it makes them."""
    body: dict[str, Any] = memory.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    return body


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _json(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in fields.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _value(item) for name, item in value.items()}
    return [_value(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value
