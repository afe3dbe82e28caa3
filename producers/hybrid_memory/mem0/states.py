"""A memory as Mem0 has it now, whether its platform or its open-source library says so. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hybrid_memory.schemas.mem0 import Mem0Scope

Lifecycle = Literal["active", "superseded", "merged"]
OURS = "hybrid_memory"
"""The key of Mem0's metadata under which we write back; whatever stands there is never taken in."""

# What the open-source library puts beside the caller's own metadata, which it flattens.
_STORE_FIELDS = {
    *("data", "hash", "text_lemmatized", "created_at", "updated_at", "expiration_date"),
    *("user_id", "agent_id", "run_id", "actor_id", "role", "attributed_to"),
}


@dataclass(frozen=True, slots=True)
class Mem0Memory:
    """What Mem0 says of one memory. Times are text, as Mem0 writes them."""

    id: str
    text: str
    scope: Mem0Scope
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None
    expiration_date: str | None = None
    lifecycle: Lifecycle = "active"
    replaced_by: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def from_platform(raw: dict[str, Any]) -> Mem0Memory:
    """An object of the platform's API: of one read by id, or of a page.

    Raises:
        ValueError: it is no memory; the sentence says why.
    """
    text = raw.get("memory") if raw.get("memory") is not None else raw.get("text")
    if not isinstance(raw.get("id"), str) or not isinstance(text, str):
        raise ValueError("an object without an id and a text is no memory")
    replaced_by = _text(raw.get("replaced_by"))
    return Mem0Memory(
        id=raw["id"],
        text=text,
        # A read by id and a page call it session_id, a search run_id.
        scope=_scope(raw, _text(raw.get("run_id")) or _text(raw.get("session_id"))),
        metadata=_without_ours(raw.get("metadata")),
        categories=_words(raw.get("categories")),
        created_at=_text(raw.get("created_at")),
        updated_at=_text(raw.get("updated_at")),
        expiration_date=_text(raw.get("expiration_date")),
        lifecycle=_lifecycle(raw.get("lifecycle_state"), replaced_by),
        replaced_by=replaced_by,
        raw=raw,
    )


def from_store(memory_id: str, payload: Mapping[str, Any]) -> Mem0Memory:
    """A point of the open-source library's vector store: its id and its payload.

    Raises:
        ValueError: the payload is none of a memory.
    """
    if not isinstance(payload.get("data"), str):
        raise ValueError("a payload without data is no memory's")
    return Mem0Memory(
        id=memory_id,
        text=payload["data"],
        scope=_scope(payload, _text(payload.get("run_id"))),
        metadata=_without_ours({key: value for key, value in payload.items() if key not in _STORE_FIELDS}),
        created_at=_text(payload.get("created_at")),
        updated_at=_text(payload.get("updated_at")),
        expiration_date=_text(payload.get("expiration_date")),
    )


def _scope(raw: Mapping[str, Any], run_id: str | None) -> Mem0Scope:
    return Mem0Scope(
        user_id=_text(raw.get("user_id")),
        agent_id=_text(raw.get("agent_id")),
        app_id=_text(raw.get("app_id")),
        run_id=run_id,
    )


def _lifecycle(said: object, replaced_by: str | None) -> Lifecycle:
    if said == "merged":
        return "merged"
    return "superseded" if said == "superseded" or replaced_by is not None else "active"


def _without_ours(metadata: object) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key != OURS} if isinstance(metadata, dict) else {}


def _words(said: object) -> tuple[str, ...]:
    if not isinstance(said, Sequence) or isinstance(said, str):
        return ()
    return tuple(word for word in said if isinstance(word, str))


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and said else None
