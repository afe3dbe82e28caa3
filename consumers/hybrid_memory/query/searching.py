"""Searches: a context to the user's best memories."""

import asyncio
import time
from dataclasses import replace

from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.points import Point
from hybrid_memory.index.store import Hit, Query, VectorStore
from hybrid_memory.query.bodies import SearchRequest
from hybrid_memory.schemas import memory_key

CLASSIFIER_WEIGHT = 0.1
"""A small additive term: as an equal voter classifiers cost more answers than they gain (measured; see docs)."""

_TOPIC_OF_DOMAIN = {"places": "food", "movies": "movies", "music": "music"}


class Searcher:
    """Answers from one index. Blocking work runs in threads, so that the event loop stays free."""

    def __init__(self, store: VectorStore, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def search(self, request: SearchRequest) -> list[Hit]:
        """The user's best live memories, best first; only what reaches the threshold."""
        hits = await asyncio.to_thread(self._search, request)
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
        [vector] = self._embedder.embed([request.context])
        return self._store.search(
            Query(
                user_id=request.user_id,
                vector=vector.tolist(),
                limit=request.limit,
                now=int(time.time() * 1000),
                topic=_TOPIC_OF_DOMAIN.get(request.domain or ""),
                classifier_weight=CLASSIFIER_WEIGHT if request.use_classifiers else 0.0,
            )
        )
