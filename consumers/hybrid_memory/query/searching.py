"""Searches: a context to the user's best memories."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hybrid_memory.classifier import Labels
from hybrid_memory.index.bm25 import bm25_query
from hybrid_memory.index.cache import LabelVectors
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.filters import Filter
from hybrid_memory.index.points import Point
from hybrid_memory.index.store import Hit, Query, VectorStore
from hybrid_memory.query.bodies import SearchRequest
from hybrid_memory.schemas import memory_key

QUERY_WORDS = 100
"""So many words of a context are looked for; the embedding model does not read many more either."""

_AT_ONCE = 64
_TOPIC_OF_DOMAIN = {"places": "food", "movies": "movies", "music": "music"}


Classify = Callable[[str, Sequence[float]], Labels]
"""The classifiers of a context and its vector, by the same rules as those of memories."""


class Searcher:
    """Answers from one index. Blocking work runs in threads, so that the event loop stays free."""

    def __init__(self, store: VectorStore, embedder: Embedder, classify: Classify) -> None:
        self._store = store
        self._embedder = embedder
        self._classify = classify
        self._labels = LabelVectors(embedder)
        # The loop's own pool has fewer threads than callers come at once, and those who wait are embedded together.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "search")

    async def search(self, request: SearchRequest) -> list[Hit]:
        """The user's best live memories, best first; only what reaches the threshold."""
        hits = await asyncio.get_running_loop().run_in_executor(self._threads, self._search, request)
        threshold = request.score_threshold or 0.0
        # Cut by the score that is shown, so that a score which was shown can be asked for.
        shown = [replace(hit, score=round(hit.score, 4)) for hit in hits]
        return [hit for hit in shown if hit.score >= threshold]

    async def get(self, user_id: str, memory_id: str) -> Point | None:
        """A memory that is live and has not expired, or None."""
        key = memory_key(user_id, memory_id)
        found = (await asyncio.to_thread(self._store.get, [key])).get(key)
        if found is None or found.point.memory is None:
            return None
        expires = found.point.memory.expires_at
        return found.point if expires is None or expires.timestamp() > time.time() else None

    async def users(self) -> dict[str, int]:
        """Each user who has live memories, and how many."""
        return await asyncio.to_thread(self._store.users)

    def _search(self, request: SearchRequest) -> list[Hit]:
        [vector] = self._embedder.embed([request.context]).tolist()
        labels = self._classify(request.context, vector).classifiers if request.use_classifiers else ()
        known = self._labels.vectors(labels)
        return self._store.search(
            Query(
                user_id=request.user_id,
                vector=vector,
                limit=request.limit,
                now=int(time.time() * 1000),
                words=bm25_query(" ".join(request.context.split()[:QUERY_WORDS])),
                labels=[known[label] for label in labels],
                filter=Filter(topic=_TOPIC_OF_DOMAIN.get(request.domain or "")),
            )
        )
