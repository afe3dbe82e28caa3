"""A store that can be exchanged for another while it is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from hybrid_memory.index.store import VectorStore


class LentStore:
    """Lends a store to its readers; who began with one ends with it. Safe to call from several threads."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._readers: dict[int, int] = {}
        self._changed = Condition()

    @contextmanager
    def reading(self) -> Iterator[VectorStore]:
        """The store, which is not given back while the context lasts."""
        with self._changed:
            store = self._store
            self._readers[id(store)] = self._readers.get(id(store), 0) + 1
        try:
            yield store
        finally:
            with self._changed:
                self._readers[id(store)] -= 1
                self._changed.notify_all()

    def exchange(self, store: VectorStore) -> VectorStore:
        """Lend this one from now on; the one before, once nobody reads it any more."""
        with self._changed:
            before, self._store = self._store, store
            self._changed.wait_for(lambda: not self._readers.get(id(before)))
            self._readers.pop(id(before), None)
            return before
