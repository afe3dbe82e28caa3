"""A light embedder without a model: texts that share words, or parts of words, are near each other. For tests."""

import re
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from hybrid_memory.index.embedder import Embedder, Matrix

_WORDS = re.compile(r"\w+")


class HashEmbedder(Embedder):
    """Hashes the words of a text and their three-letter parts; the same text has the same vector everywhere."""

    def __init__(self, dimensions: int = 384) -> None:
        self.name = f"hash-v1-{dimensions}"
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str]) -> Matrix:
        matrix = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(matrix, texts, strict=True):
            for feature, weight in _features(text):
                code = crc32(feature.encode("utf-8", "surrogatepass"))
                row[(code >> 1) % self.dimensions] += weight if code & 1 else -weight
            # Features can cancel each other out; a unit vector must come out all the same.
            row[0] += 1e-3 if not row.any() else 0.0
            row /= np.linalg.norm(row)
        return matrix


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORDS.findall(text.casefold()) or [text or "\0"]:
        yield word, 1.0
        framed = f"<{word}>"
        yield from ((framed[at : at + 3], 0.3) for at in range(len(framed) - 2))
