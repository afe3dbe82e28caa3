"""What an index says of itself, as JSON. Pure."""

import json
from collections.abc import Iterable, Mapping

from hybrid_memory.index.store import Identity, Progress, TopicPartition


def identity_to_json(identity: Identity) -> str:
    """The identity as JSON text."""
    return json.dumps(
        {
            "index_id": identity.index_id,
            "topics": {name: list(topic) for name, topic in identity.topics.items()},
            "embedder": identity.embedder,
            "dimensions": identity.dimensions,
            "schema_version": identity.schema_version,
        }
    )


def identity_from_json(text: str) -> Identity:
    """Undo :func:`identity_to_json`."""
    fields = json.loads(text)
    topics = {name: (topic_id, partitions) for name, (topic_id, partitions) in fields.pop("topics").items()}
    return Identity(topics=topics, **fields)


def progress_to_json(progress: Progress) -> str:
    """The progress as JSON text."""
    return json.dumps({"positions": _flat(progress.positions), "applied_at": progress.applied_at})


def progress_from_json(text: str) -> Progress:
    """Undo :func:`progress_to_json`."""
    fields = json.loads(text)
    return Progress(_offsets(fields["positions"]), fields["applied_at"])


def _flat(offsets: Mapping[TopicPartition, int]) -> list[tuple[str, int, int]]:
    return [(topic, partition, offset) for (topic, partition), offset in offsets.items()]


def _offsets(flat: Iterable[tuple[str, int, int]]) -> dict[TopicPartition, int]:
    return {(topic, partition): offset for topic, partition, offset in flat}
