"""Gives points their vectors, embedding nothing whose vector is known."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from hybrid_memory.index.bm25 import bm25_vector
from hybrid_memory.index.cache import LabelVectors
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.points import Point, StoredPoint, Vectors
from hybrid_memory.schemas import Memory
from hybrid_memory.sink.terms import Input, Vector, Write


class Vectoriser(Protocol):
    """Gives texts and points their vectors."""

    def texts(self, records: Iterable[Input], stored: Mapping[str, StoredPoint]) -> dict[str, Vector]: ...

    def __call__(
        self, points: Iterable[Point], stored: Mapping[str, StoredPoint], texts: Mapping[str, Vector]
    ) -> list[StoredPoint]: ...


class EmbeddingVectoriser:
    """Embeds each new text once, in one call a batch; keeps what the stored point of the same text has."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._labels = LabelVectors(embedder)

    def texts(self, records: Iterable[Input], stored: Mapping[str, StoredPoint]) -> dict[str, Vector]:
        """The vector of each text that these records may write. `stored` is what the index has of their keys.

        Those that are older than the stored point, or its own, write nothing.
        """
        known: dict[str, Vector] = {}
        new: dict[str, None] = {}
        for record in records:
            there = stored.get(record.key)
            if not isinstance(record, Write) or not isinstance(record.event, Memory):
                continue
            if there is not None and record.seq <= there.point.seq:
                continue
            if (kept := _vectors_of(record.event, there)) is not None:
                known[record.event.text] = kept.text
            else:
                new[record.event.text] = None
        return known | self._embed(text for text in new if text not in known)

    def __call__(
        self, points: Iterable[Point], stored: Mapping[str, StoredPoint], texts: Mapping[str, Vector]
    ) -> list[StoredPoint]:
        """Each point with its vectors, in order. `texts` are those of the records that made them."""
        points = list(points)
        kept = {point.key: _vectors_of(point.memory, stored.get(point.key)) for point in points}
        labels = self._labels.vectors([label for point in points for label in point.classifiers])
        return [StoredPoint(point, self._vectors(point, kept[point.key], texts, labels)) for point in points]

    def _embed(self, texts: Iterable[str]) -> dict[str, Vector]:
        unique = list(texts)
        if not unique:
            return {}
        return dict(zip(unique, map(tuple, self._embedder.embed(unique).tolist()), strict=True))

    def _vectors(
        self, point: Point, kept: Vectors | None, texts: Mapping[str, Vector], labels: Mapping[str, Vector]
    ) -> Vectors | None:
        if point.memory is None:
            return None
        text = point.memory.text
        return Vectors(
            text=kept.text if kept else texts[text],
            classifiers=tuple(labels[label] for label in point.classifiers),
            bm25=kept.bm25 if kept else bm25_vector(text),
        )


def _vectors_of(memory: Memory | None, known: StoredPoint | None) -> Vectors | None:
    """Those of the stored point, where its text is this memory's."""
    if known is None or known.point.memory is None or memory is None:
        return None
    return known.vectors if known.point.memory.text == memory.text else None
