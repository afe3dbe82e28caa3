"""How long embedding takes."""

import time
from collections.abc import Callable, Sequence

from hybrid_memory.index.embedder import Embedder, Matrix


class TimedEmbedder(Embedder):
    """Another embedder, whose calls are timed: `observe` gets the seconds of each, from the thread that called."""

    def __init__(self, embedder: Embedder, observe: Callable[[float], None]) -> None:
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self._embedder, self._observe = embedder, observe

    def embed(self, texts: Sequence[str]) -> Matrix:
        began = time.perf_counter()
        try:
            return self._embedder.embed(texts)
        finally:
            self._observe(time.perf_counter() - began)
