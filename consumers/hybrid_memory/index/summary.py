"""What an index holds, in figures and a sample: enough to tell whether two indexes say the same."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from hybrid_memory.index.points import StoredPoint
from hybrid_memory.index.store import SCHEMA_VERSION, TopicPartition, VectorStore

_PAGE = 200

Version = tuple[int, int]
"""(seq, generation) of a point."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An index as it was between two positions of the log, `before` and `after`; the same, where nobody wrote.

    `tombstones` are those of deletions since a time; `sample` has the versions of some live points by key, and `log`
    names the topics that the index follows.
    """

    embedder: str
    log: str
    memories: int
    users: int
    tombstones: int
    sample: Mapping[str, Version]
    before: Mapping[TopicPartition, int]
    after: Mapping[TopicPartition, int]

    @property
    def moved(self) -> int:
        """How many records were applied meanwhile, at most."""
        return sum(max(0, at - self.before.get(place, 0)) for place, at in self.after.items())


def summarise(store: VectorStore, since: int, sample: int) -> Summary:
    """Look at an index that was claimed; tombstones count from this time (ms) on, and so many points are looked at.

    Raises:
        Unavailable: the store is away.
    """
    identity = store.identity()
    if identity is None:
        raise ValueError("an index that nobody has claimed holds nothing")
    before = store.progress().positions
    readable = identity.schema_version == SCHEMA_VERSION
    return Summary(
        embedder=identity.embedder,
        log=log_name((name, topic_id) for name, (topic_id, _) in identity.topics.items()),
        memories=store.count(),
        users=len(store.users()),
        tombstones=store.tombstones(since),
        sample=_sample(store, sample) if readable else {},
        before=before,
        after=store.progress().positions,
    )


def log_name(topics: Iterable[tuple[str, str]]) -> str:
    """A log in words: the names and ids of its topics."""
    return ", ".join(f"{name} {topic_id}" for name, topic_id in sorted(topics))


def versions(store: VectorStore, keys: list[str]) -> dict[str, Version | None]:
    """The version of each of these points; None for a tombstone. Those that are not there are left out."""
    found: dict[str, Version | None] = {}
    for start in range(0, len(keys), _PAGE):
        for key, stored in store.get(keys[start : start + _PAGE]).items():
            found[key] = _version(stored) if stored.point.live else None
    return found


def to_json(summary: Summary) -> str:
    """The summary as JSON text."""
    fields = {name: getattr(summary, name) for name in Summary.__slots__}
    return json.dumps(fields | {"before": _flat(summary.before), "after": _flat(summary.after)})


def from_json(text: str) -> Summary:
    """Undo :func:`to_json`."""
    fields = json.loads(text)
    places = {name: {(topic, number): at for topic, number, at in fields[name]} for name in ("before", "after")}
    sample = {key: (seq, generation) for key, (seq, generation) in fields["sample"].items()}
    return Summary(**fields | places | {"sample": sample})


def _sample(store: VectorStore, size: int) -> dict[str, Version]:
    """Live points from a random place on, and from the beginning where there are too few: ids are hashes."""
    found: dict[str, Version] = {}
    for mark in (str(uuid4()), None):
        while len(found) < size:
            page, mark = store.scroll(_PAGE, mark)
            live = [stored for stored in page if stored.point.live]
            found |= {stored.point.key: _version(stored) for stored in live[: size - len(found)]}
            if mark is None:
                break
    return found


def _version(stored: StoredPoint) -> Version:
    return stored.point.seq, stored.point.generation


def _flat(places: Mapping[TopicPartition, int]) -> list[tuple[str, int, int]]:
    return [(topic, number, at) for (topic, number), at in places.items()]
