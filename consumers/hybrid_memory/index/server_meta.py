"""What an index on a server says of itself: points without user and state, so that no filter of a memory finds them.

There is one progress point a topic partition, since several sinks share the index; the guard of a write lets none of
them move back. The index id is part of its id: a sink that has missed that the collection was made anew cannot move
the new one's positions.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

from qdrant_client import models

from hybrid_memory.index import server_schema as schema
from hybrid_memory.index.meta import identity_to_json
from hybrid_memory.index.store import Identity, Progress

IDENTITY_ID = "00000000-0000-0000-0000-000000000001"
_POSITIONS = UUID("00000000-0000-0000-0000-000000000002")

PROGRESS = models.Filter(must=[models.FieldCondition(key="meta", match=models.MatchValue(value="progress"))])


def identity_point(identity: Identity) -> models.PointStruct:
    """The point that says whose view the index is."""
    payload = {"meta": "identity", "identity": identity_to_json(identity)}
    return models.PointStruct(id=IDENTITY_ID, vector={}, payload=payload)


def progress_points(index_id: str, progress: Progress) -> list[models.PointStruct]:
    """A point for each position."""
    return [
        models.PointStruct(
            id=str(uuid5(_POSITIONS, f"{index_id}/{topic}/{partition}")),
            vector={},
            payload={
                "meta": "progress",
                "index": index_id,
                "topic": topic,
                "partition": partition,
                "position": position,
                "applied_at": progress.applied_at,
            },
        )
        for (topic, partition), position in progress.positions.items()
    ]


def not_ahead(points: Iterable[models.PointStruct]) -> models.Filter:
    """That no stored position is higher than the one to be written."""
    return schema.any_of(
        schema.of_id(str(point.id), schema.up_to("position", (point.payload or {})["position"])) for point in points
    )


def progress_of(index_id: str, payloads: Iterable[Mapping[str, Any]]) -> Progress:
    """The progress of this index, from the payloads of progress points."""
    own = [payload for payload in payloads if payload["index"] == index_id]
    at = {(payload["topic"], payload["partition"]): payload for payload in own}
    return Progress(
        {place: payload["position"] for place, payload in at.items()},
        max((payload["applied_at"] for payload in own), default=0),
        {place: payload["applied_at"] for place, payload in at.items()},
    )
