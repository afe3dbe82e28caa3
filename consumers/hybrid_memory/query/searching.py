"""Reads: a context to the user's best memories, one memory, a page of them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from hybrid_memory.classifier import Labels
from hybrid_memory.index.bm25 import bm25_query
from hybrid_memory.index.cache import LabelVectors
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.filters import NO_FILTER, Filter
from hybrid_memory.index.lent import LentStore
from hybrid_memory.index.listing import Listing, Place
from hybrid_memory.index.points import Point
from hybrid_memory.index.store import Hit, Query, VectorStore
from hybrid_memory.query.together import Together
from hybrid_memory.schemas import memory_key

_T = TypeVar("_T")
QUERY_WORDS = 100
"""So many words of a context are looked for; the embedding model does not read many more either."""

_TOGETHER = 64
Classify = Callable[[str, Sequence[float]], Labels]
"""The classifiers of a context and its vector, by the same rules as those of memories."""


@dataclass(frozen=True, slots=True)
class Search:
    """What one user's memories are searched for. What scores less than `threshold` is left out."""

    user_id: str
    context: str
    limit: int = 10
    threshold: float = 0.0
    use_classifiers: bool = True
    filter: Filter = NO_FILTER


class Context(NamedTuple):
    """The vector of a search's context, and those of its classifiers."""

    vector: Sequence[float]
    labels: Sequence[Sequence[float]]


class Searcher:
    """Answers from one index, to one event loop, which blocking work in threads leaves free.

    Contexts that come together are embedded together.
    """

    def __init__(self, store: VectorStore, embedder: Embedder, classify: Classify) -> None:
        self._lent = LentStore(store)
        self._embedder = embedder
        self._classify = classify
        self._labels = LabelVectors(embedder)
        self._together = Together("understand", self._understand, _TOGETHER)
        self._threads = ThreadPoolExecutor(store.searches_at_once, "search")

    async def search(self, wanted: Search) -> list[Hit]:
        """The user's best live memories, best first; only what reaches the threshold."""
        context = await self._together.ask(wanted.context)
        hits = await asyncio.get_running_loop().run_in_executor(self._threads, self._find, wanted, context)
        # Cut by the score that is shown, so that a score which was shown can be asked for.
        shown = [replace(hit, score=round(hit.score, 4)) for hit in hits]
        return [hit for hit in shown if hit.score >= wanted.threshold]

    async def get(self, user_id: str, memory_id: str, expired: bool = False) -> Point | None:
        """A memory that is live and has not expired (unless those are asked for too), or None."""
        key = memory_key(user_id, memory_id)
        found = (await self.read(lambda store: store.get([key]))).get(key)
        if found is None or found.point.memory is None:
            return None
        expires = found.point.memory.expires_at
        return found.point if expired or expires is None or expires.timestamp() > time.time() else None

    async def page(self, listing: Listing) -> tuple[list[Point], Place | None]:
        """A page of a user's live memories, and where the next one begins."""
        return await self.read(lambda store: store.page(listing))

    async def users(self) -> dict[str, int]:
        """Each user who has live memories, and how many."""
        return await self.read(lambda store: store.users())

    def exchange(self, store: VectorStore) -> VectorStore:
        """Answer from this index from now on; the one before, once no answer is made from it any more. Blocks."""
        return self._lent.exchange(store)

    def reading(self) -> AbstractContextManager[VectorStore]:
        """The index, which is not closed while the context lasts."""
        return self._lent.reading()

    async def read(self, question: Callable[[VectorStore], _T]) -> _T:
        """What a question to the index is answered, in a thread."""

        def ask() -> _T:
            with self._lent.reading() as store:
                return question(store)

        return await asyncio.to_thread(ask)

    def _understand(self, texts: Sequence[str]) -> list[Context]:
        vectors = self._embedder.embed(texts).tolist()
        labels = [self._classify(text, vector).classifiers for text, vector in zip(texts, vectors, strict=True)]
        known = self._labels.vectors(label for some in labels for label in some)
        return [Context(vector, [known[label] for label in some]) for vector, some in zip(vectors, labels, strict=True)]

    def _find(self, wanted: Search, context: Context) -> list[Hit]:
        query = Query(
            user_id=wanted.user_id,
            vector=context.vector,
            limit=wanted.limit,
            now=int(time.time() * 1000),
            words=bm25_query(" ".join(wanted.context.split()[:QUERY_WORDS])),
            labels=context.labels if wanted.use_classifiers else (),
            filter=wanted.filter,
        )
        with self._lent.reading() as store:
            return store.search(query)
