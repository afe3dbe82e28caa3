"""Mem0's vector store, watched: it does what it did, and every change of a memory is recorded."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from hybrid_memory.mem0.oss.recording import Payload, Recorder, alone, removed, upserted

_REMEMBERED = 1024
_PAGE = 500
_ALL = 1_000_000_000
_OWN = frozenset({"_store", "_recorder", "_seen"})


class WatchedStore:
    """In the place of a store. It relies on the public interface of Mem0's stores (`VectorStoreBase`) alone."""

    def __init__(self, store: Any, recorder: Recorder) -> None:
        self._store, self._recorder = store, recorder
        self._seen: OrderedDict[str, Payload] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._store, name, value)

    def insert(
        self,
        vectors: Sequence[Any],
        payloads: Sequence[Payload] | None = None,
        ids: Sequence[Any] | None = None,
        **more: Any,
    ) -> Any:
        """As the store's, and recorded."""
        if ids is None or payloads is None:  # points without a name or a text are no memories
            return self._store.insert(vectors=vectors, payloads=payloads, ids=ids, **more)
        changes = [upserted(memory_id, payload) for memory_id, payload in zip(ids, payloads, strict=True)]
        with alone(*ids), self._recorder.changing(changes):
            return self._store.insert(vectors=vectors, payloads=payloads, ids=ids, **more)

    def update(self, vector_id: Any, vector: Any = None, payload: Payload | None = None, **more: Any) -> Any:
        """As the store's, and recorded: as a whole, also where only a part is given."""
        if payload is None:
            return self._store.update(vector_id=vector_id, vector=vector, payload=payload, **more)
        with alone(vector_id):
            whole = payload if vector is not None else {**(self._payload(vector_id) or {}), **payload}
            with self._recorder.changing([upserted(vector_id, whole)]):
                return self._store.update(vector_id=vector_id, vector=vector, payload=payload, **more)

    def delete(self, vector_id: Any, **more: Any) -> Any:
        """As the store's, and recorded with whose memory it was, which never changes."""
        with alone(vector_id):
            before = self._seen.pop(str(vector_id), None) or self._payload(vector_id)
            changes = [] if before is None else [removed(vector_id, before)]
            with self._recorder.changing(changes):
                return self._store.delete(vector_id=vector_id, **more)

    def get(self, vector_id: Any, **more: Any) -> Any:
        """As the store's. Mem0 looks at each memory before it deletes it, so `delete` need not look again."""
        found = self._store.get(vector_id=vector_id, **more)
        if found is not None and found.payload:
            self._seen[str(vector_id)] = dict(found.payload)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def reset(self) -> Any:
        """As the store's; every memory is recorded as deleted."""
        return self._emptied(self._store.reset)

    def delete_col(self) -> Any:
        """As the store's; every memory is recorded as deleted."""
        return self._emptied(self._store.delete_col)

    def _emptied(self, empty: Any) -> Any:
        with alone():
            gone = [removed(memory_id, payload) for memory_id, payload in whole(self._store) if payload]
            with self._recorder.changing(gone):
                return empty()

    def _payload(self, vector_id: Any) -> Payload | None:
        return present(self._store, vector_id)


def present(store: Any, memory_id: str) -> Payload | None:
    """What a store says of a memory now."""
    found = store.get(vector_id=memory_id)
    return None if found is None else dict(found.payload or {})


def whole(store: Any) -> Iterator[tuple[str, Payload]]:
    """All that a store holds: page by page where it is Qdrant, else at once, as its `list` gives it."""
    scroll = getattr(getattr(store, "client", None), "scroll", None)
    if scroll is None:
        listed = store.list(filters=None, top_k=_ALL)
        rows = listed[0] if listed and isinstance(listed[0], list) else listed
        yield from ((str(row.id), dict(row.payload or {})) for row in rows or ())
        return
    offset: Any = None
    while True:
        points, offset = scroll(store.collection_name, limit=_PAGE, offset=offset, with_payload=True)
        yield from ((str(point.id), dict(point.payload or {})) for point in points)
        if offset is None:
            return
