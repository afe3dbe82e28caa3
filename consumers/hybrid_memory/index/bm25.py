"""Sparse vectors of words, by Edge's own BM25: English, light stemming, stop words out. Needs no model and no state.

`k1` 0.9 and `b` 0.4 did best on public question sets (see docs); the weight of rare words (IDF) is the store's part.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from hybrid_memory.index.points import SparseVector

if TYPE_CHECKING:
    import qdrant_edge

K1 = 0.9
B = 0.4
AVERAGE_WORDS = 15.0
"""How long a memory is taken to be on average, in words that count."""


def bm25_vector(text: str) -> SparseVector:
    """The words of a memory, weighted by how often they come and how long it is; empty where none counts."""
    return _plain(_model().embed_document(text))


def bm25_query(text: str) -> SparseVector:
    """The words of a query, each with weight 1."""
    return _plain(_model().embed_query(text))


@lru_cache(maxsize=1)
def _model() -> "qdrant_edge.Bm25":
    import qdrant_edge

    return qdrant_edge.Bm25(qdrant_edge.Bm25Config(k=K1, b=B, avg_len=AVERAGE_WORDS, language="english"))


def _plain(vector: "qdrant_edge.SparseVector") -> SparseVector:
    return SparseVector(tuple(vector.indices), tuple(vector.values))
