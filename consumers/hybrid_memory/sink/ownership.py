"""Whether an index may follow a log: it refuses one that is not its own, with what mends it. Pure."""

import uuid
from collections.abc import Mapping

from hybrid_memory.index.store import SCHEMA_VERSION, Identity, Progress, TopicPartition
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo

RESET = "is this the right Kafka and data folder? If so, build the index anew from the log with: hm index reset"
REBUILD = "set the embedder that it was built with, or build a new one beside it with: hm rebuild"
# Deletes that were compacted away cannot be seen any more; a tenth is left for clocks and a slow start.
_MARGIN = 0.9


class NotItsView(Refusal):
    """An index is not the view of this log that was to be gone on with; `what` says what differs."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"this index is not a view of this log: {what}; {mend}")
        self.what = what


def new_identity(topics: Mapping[str, TopicInfo], embedder: str, dimensions: int) -> Identity:
    """The identity of a new index of this log."""
    known = {name: (topic.topic_id, topic.partitions) for name, topic in topics.items()}
    return Identity(str(uuid.uuid4()), known, embedder, dimensions)


def check_identity(identity: Identity, topics: Mapping[str, TopicInfo], embedder: str, dimensions: int) -> None:
    """Refuse another log, embedder or layout.

    Raises:
        Refusal: it is not the view of this log that this process would go on with; the sentence says what differs.
    """
    check_embedder(identity, embedder, dimensions)
    for name, topic in topics.items():
        if name not in identity.topics:
            raise _refusal(f"it follows {', '.join(identity.topics)}, not {name}")
        topic_id, partitions = identity.topics[name]
        if topic_id != topic.topic_id:
            raise _refusal(f"topic {name} here has id {topic.topic_id}, its own had {topic_id}")
        if partitions != topic.partitions:
            raise _refusal(f"topic {name} has {topic.partitions} partitions, it knows {partitions}")


def check_embedder(identity: Identity | None, embedder: str, dimensions: int) -> None:
    """Refuse another embedder or layout.

    Raises:
        NotItsView: this process can neither read nor feed it.
    """
    if identity is None:
        raise _refusal("it is new, and nobody has said of which")
    if identity.schema_version != SCHEMA_VERSION:
        what = f"its layout is version {identity.schema_version}, this program writes {SCHEMA_VERSION}"
        raise _refusal(what, "build a new one beside it with: hm rebuild")
    if (identity.embedder, identity.dimensions) != (embedder, dimensions):
        raise _refusal(f"its vectors are of {identity.embedder}, this process embeds with {embedder}", REBUILD)


def check_progress(progress: Progress, ends: Mapping[TopicPartition, int], now: int, delete_retention_ms: int) -> None:
    """Refuse an index that is ahead of the log, or so far behind that it may have missed a delete.

    Raises:
        Refusal: as :func:`check_identity`.
    """
    for (name, partition), position in progress.positions.items():
        end = ends.get((name, partition), 0)
        if position > end:
            raise _refusal(f"it has applied {name}/{partition} up to {position}, and that log ends at {end}")
    behind = [place for place, end in ends.items() if progress.positions.get(place, 0) < end]
    age = now - min((progress.followed_at.get(place, progress.applied_at) for place in behind), default=now)
    if progress.positions and age > delete_retention_ms * _MARGIN:
        days = delete_retention_ms / 86_400_000
        raise _refusal(
            f"it last followed the log {age / 86_400_000:.1f} days ago, and deletes are only kept for {days:.1f}"
        )


def _refusal(what: str, mend: str = RESET) -> NotItsView:
    return NotItsView(what, mend)
