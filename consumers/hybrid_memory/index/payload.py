"""Points to flat payloads and back. Pure; every store that keeps payloads shares it."""

from collections.abc import Mapping
from typing import Any

from hybrid_memory.index.filters import metadata_terms
from hybrid_memory.index.listing import milliseconds
from hybrid_memory.index.points import Point
from hybrid_memory.schemas import Memory, Provenance, split_memory_key

LIVE_STATES = ("provisional", "final")


def to_payload(point: Point) -> dict[str, Any]:
    """The point as a flat JSON object: what can be filtered on has a field of its own; what is absent has none.

    The memory itself is one JSON text: stores keep numbers as 64 bits, metadata may hold longer ones.
    """
    user_id, memory_id = split_memory_key(point.key)
    payload: dict[str, Any] = {
        "key": point.key,
        "user_id": user_id,
        "state": point.state,
        "seq": point.seq,
        "appended_at": point.appended_at,
        "generation": point.generation,
        "source": point.source,
        "condition": point.condition,
        "since": point.since,
        "stale": [list(fact) for fact in point.stale] or None,
    }
    if point.memory is None:
        return _present(payload | {"deleted_at": point.appended_at})
    payload |= {
        "memory_id": memory_id,
        "topic": point.topic,
        "type": point.memory.type,
        "classifiers": list(point.classifiers),
        "provenance": point.provenance and point.provenance.model_dump(mode="json", exclude_none=True),
        "memory": point.memory.model_dump_json(exclude_none=True),
        "metadata": metadata_terms(point.memory.metadata) or None,
        "created_at": milliseconds(point.memory.created_at),
        "expires_at": point.memory.expires_at and milliseconds(point.memory.expires_at),
    }
    return _present(payload)


def from_payload(payload: Mapping[str, Any]) -> Point:
    """The point of which :func:`to_payload` made this payload."""
    memory, provenance = payload.get("memory"), payload.get("provenance")
    return Point(
        key=payload["key"],
        seq=payload["seq"],
        appended_at=payload["appended_at"],
        memory=None if memory is None else Memory.model_validate_json(memory),
        state=payload["state"],
        topic=payload.get("topic"),
        classifiers=tuple(payload.get("classifiers", ())),
        generation=payload["generation"],
        source=payload["source"],
        provenance=None if provenance is None else Provenance.model_validate(provenance),
        condition=payload.get("condition"),
        since=payload["since"],
        stale=tuple((seq, generation) for seq, generation in payload.get("stale", ())),
    )


def _present(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value is not None}
