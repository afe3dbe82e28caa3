"""Vectors of classifiers. A few hundred labels make up most memories, so each is embedded once."""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from hybrid_memory.index.embedder import Embedder


class LabelVectors:
    """The vectors of the `capacity` labels used last. Safe to call from several threads."""

    def __init__(self, embedder: Embedder, capacity: int = 10_000) -> None:
        self._embedder = embedder
        self._capacity = capacity
        self._known: OrderedDict[str, tuple[float, ...]] = OrderedDict()
        self._lock = Lock()

    def vectors(self, labels: Iterable[str]) -> dict[str, tuple[float, ...]]:
        """The vector of each label; those that are not known are embedded, all in one call."""
        wanted = dict.fromkeys(labels)
        with self._lock:
            found = {label: self._known[label] for label in wanted if label in self._known}
        missing = [label for label in wanted if label not in found]
        if missing:
            rows = self._embedder.embed(missing).tolist()
            found |= {label: tuple(row) for label, row in zip(missing, rows, strict=True)}
        with self._lock:
            self._remember(found)
        return found

    def _remember(self, vectors: dict[str, tuple[float, ...]]) -> None:
        self._known.update(vectors)
        for label in vectors:
            self._known.move_to_end(label)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
