"""Gives points their vectors, embedding nothing whose vector is known."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from hybrid_memory.index.bm25 import bm25_vector
from hybrid_memory.index.cache import LabelVectors
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.points import Point, StoredPoint, Vectors

Vector = tuple[float, ...]


class Vectoriser(Protocol):
    """Gives points their vectors."""

    def __call__(self, points: Iterable[Point], stored: Mapping[str, StoredPoint]) -> list[StoredPoint]: ...


class EmbeddingVectoriser:
    """Embeds each new text once, in one call a batch; keeps what the stored point of the same text has."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._labels = LabelVectors(embedder)

    def __call__(self, points: Iterable[Point], stored: Mapping[str, StoredPoint]) -> list[StoredPoint]:
        """Each point with its vectors, in order. `stored` is what the index has of their keys."""
        points = list(points)
        kept = {point.key: vectors for point in points if (vectors := _same_text(point, stored)) is not None}
        texts = self._embed(point.memory.text for point in points if point.memory and point.key not in kept)
        labels = self._labels.vectors([label for point in points for label in point.classifiers])
        return [StoredPoint(point, self._vectors(point, kept.get(point.key), texts, labels)) for point in points]

    def _embed(self, texts: Iterable[str]) -> dict[str, Vector]:
        unique = list(dict.fromkeys(texts))
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


def _same_text(point: Point, stored: Mapping[str, StoredPoint]) -> Vectors | None:
    known = stored.get(point.key)
    if known is None or known.point.memory is None or point.memory is None:
        return None
    return known.vectors if known.point.memory.text == point.memory.text else None
