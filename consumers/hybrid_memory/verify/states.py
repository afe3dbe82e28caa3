"""What the log says of a memory, and what the index shows of it, both so small that a million fit. Pure.

The log is read as compaction leaves it: the last readable record of a memory is the memory, and the fact of the
highest generation for that very record has its classifiers. That this is what the index must show is the promise of
docs/order.md; it is checked here without the fold that keeps it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from pydantic import BaseModel, ConfigDict

from hybrid_memory.index.points import Point, State
from hybrid_memory.schemas import Memory, Source, to_json


class Shown(BaseModel):
    """A point as the index shows it. `memory` and `labels` are digests; a tombstone has no memory."""

    model_config = ConfigDict(frozen=True)

    key: str
    seq: int
    state: State
    generation: int
    source: Source
    appended_at: int
    memory: str | None = None
    labels: str = ""

    @classmethod
    def of(cls, point: Point) -> "Shown":
        return cls(
            key=point.key,
            seq=point.seq,
            state=point.state,
            generation=point.generation,
            source=point.source,
            appended_at=point.appended_at,
            memory=None if point.memory is None else digest_of(point.memory),
            labels=labels_digest(point.classifiers),
        )


@dataclass(frozen=True, slots=True)
class Said:
    """What the log says of a memory.

    `seq` is the offset of its last readable record, None where it has none; `memory` that record's digest, None where
    it deletes. `provided` is the digest of its caller's own classifiers, and `fact` (generation, source, digest of the
    labels) of the best fact.
    """

    seq: int | None = None
    memory: str | None = None
    provided: str | None = None
    fact: tuple[int, Source, str] | None = None


NOTHING = Said()


def digest_of(memory: Memory) -> str:
    """Of all that the memory says."""
    return _digest(to_json(memory))


def labels_digest(labels: Iterable[str]) -> str:
    """Of classifiers, in their order."""
    return _digest("\n".join(labels).encode())  # a label holds no line end


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()
