"""Searches the memories of a replay with the classifiers of before and with those that it found: the very code of the
search API, on throw-away indexes. `hm replay diff --queries` finds it by its entry point."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hybrid_memory.index.bm25 import bm25_vector
from hybrid_memory.index.cache import LabelVectors
from hybrid_memory.index.edge import CHUNK, EdgeStore
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import open_fast_classifier
from hybrid_memory.index.points import Point, StoredPoint, Vectors
from hybrid_memory.index.store import Hit
from hybrid_memory.query.searching import Classify, Search, Searcher
from hybrid_memory.replay.churn import Change
from hybrid_memory.replay.overlap import Ids
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Memory, memory_key

_AT_ONCE = 512


def open_searching(settings: Settings) -> "IndexSearching":
    """One with the embedder and the taxonomy of these settings, loaded.

    Raises:
        Refusal: one of them cannot be had.
    """
    embedder = make_embedder(settings)
    return IndexSearching(embedder, open_fast_classifier(settings, embedder).classify)


class IndexSearching:
    """A `hybrid_memory.replay.overlap.Searching`. Each text is embedded once for both sides."""

    def __init__(self, embedder: Embedder, classify: Classify) -> None:
        self._embedder, self._classify = embedder, classify
        self._labels = LabelVectors(embedder)

    def __call__(self, queries: Sequence[str], memories: Sequence[Change], limit: int) -> list[tuple[Ids, Ids]]:
        if not memories:
            return [((), ()) for _ in queries]
        with TemporaryDirectory(prefix="hm-replay-", ignore_cleanup_errors=True) as folder:
            before = EdgeStore.open(Path(folder) / "before", self._embedder.dimensions)
            after = EdgeStore.open(Path(folder) / "after", self._embedder.dimensions)
            try:
                self._fill(before, after, memories)
                asked = [Search(memories[0].user_id, query, limit) for query in queries]
                return list(zip(self._found(before, asked), self._found(after, asked), strict=True))
            finally:
                before.close()
                after.close()

    def _fill(self, before: EdgeStore, after: EdgeStore, memories: Sequence[Change]) -> None:
        for begin in range(0, len(memories), _AT_ONCE):
            some = memories[begin : begin + _AT_ONCE]
            texts = [tuple(row) for row in self._embedder.embed([it.text for it in some]).tolist()]
            for store, labels in ((before, [it.before for it in some]), (after, [it.after for it in some])):
                points = list(self._points(some, texts, labels, begin))
                for at in range(0, len(points), CHUNK):
                    store.upsert(points[at : at + CHUNK])

    def _points(
        self, memories: Sequence[Change], texts: Sequence[tuple[float, ...]], labels: Sequence[Ids], first: int
    ) -> Iterable[StoredPoint]:
        known = self._labels.vectors(label for some in labels for label in some)
        for seq, (it, text, mine) in enumerate(zip(memories, texts, labels, strict=True), first):
            memory = Memory.new(user_id=it.user_id, memory_id=it.memory_id, text=it.text)
            point = Point(memory_key(it.user_id, it.memory_id), seq, 0, memory, "final", classifiers=tuple(mine))
            yield StoredPoint(point, Vectors(text, tuple(known[label] for label in mine), bm25_vector(it.text)))

    def _found(self, store: EdgeStore, asked: Sequence[Search]) -> list[Ids]:
        searcher = Searcher(store, self._embedder, self._classify)

        async def search() -> list[list[Hit]]:
            return [await searcher.search(one) for one in asked]

        found = asyncio.run(search())
        return [[hit.point.memory.memory_id for hit in hits if hit.point.memory is not None] for hits in found]
