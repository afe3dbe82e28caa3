"""The vector store in this process: one folder, one owner, by Qdrant Edge.

Edge holds the interpreter's lock during each call, so calls do not overlap and must be short. It searches a user's
points by scanning them; that is fast enough for 100,000 memories, so no graph is built unless `optimize` is called.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Self
from uuid import UUID

import qdrant_edge as edge
from filelock import FileLock

from hybrid_memory.index import edge_schema as schema
from hybrid_memory.index.edge_folder import load_shard, lock_folder, open_shard
from hybrid_memory.index.listing import Lister, Listing, Place, list_page
from hybrid_memory.index.meta import identity_from_json, identity_to_json, progress_from_json, progress_to_json
from hybrid_memory.index.payload import from_payload, to_payload
from hybrid_memory.index.points import Point, SparseVector, StoredPoint
from hybrid_memory.index.ranker import Ask, Ranked, Ranker
from hybrid_memory.index.records import payload_of, sparse_of, stored_of
from hybrid_memory.index.retrieval import find
from hybrid_memory.index.store import Hit, Identity, Progress, Query, Rejected, VectorStore
from hybrid_memory.index.validate import check_points, check_query
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import point_id

CHUNK = 128
"""Points a call: 10 to 30 ms during which no other thread runs."""


class EdgeStore(VectorStore):
    """See :class:`VectorStore`; open one with :meth:`open`."""

    searches_at_once = 1  # it holds the interpreter's lock

    def __init__(self, shard: edge.EdgeShard, lock: FileLock, dimensions: int) -> None:
        self._open: edge.EdgeShard | None = shard
        self._lock = lock
        self._dimensions = dimensions
        self._writing = RLock()
        # Edge takes as long to flush nothing; what a killed process left behind is not known to be flushed.
        self._unflushed = True
        stored = self._meta(schema.PROGRESS_ID)
        self._progress = Progress() if stored is None else progress_from_json(stored)

    @classmethod
    def open(cls, folder: Path, dimensions: int) -> Self:
        """The index in `folder`, new where there is none; ours alone until `close` or the end of the process.

        Raises:
            Refusal: the folder is in use, cannot be written, or does not hold a readable index of these dimensions.
        """
        return cls._open_locked(folder, lambda: open_shard(folder, dimensions), dimensions)

    @classmethod
    def open_existing(cls, folder: Path) -> Self:
        """The index in `folder`, whatever it is a view of.

        Raises:
            Refusal: the folder is in use, cannot be written, or holds no index that says what it is.
        """
        store = cls._open_locked(folder, lambda: load_shard(folder), 0)
        identity = store.identity()
        if identity is None:
            store.close()
            raise Refusal(f"{folder} holds no index that was ever used")
        store._dimensions = identity.dimensions
        return store

    @classmethod
    def _open_locked(cls, folder: Path, load: Callable[[], edge.EdgeShard], dimensions: int) -> Self:
        lock = lock_folder(folder)
        try:
            return cls(load(), lock, dimensions)
        except BaseException:
            lock.release()
            raise

    @property
    def folder(self) -> Path:
        """Where it lives."""
        return Path(self._lock.lock_file).parent

    def identity(self) -> Identity | None:
        stored = self._meta(schema.IDENTITY_ID)
        return None if stored is None else identity_from_json(stored)

    def claim(self, identity: Identity) -> None:
        self._write_meta(schema.IDENTITY_ID, identity_to_json(identity))

    def progress(self) -> Progress:
        return self._progress

    def advance(self, progress: Progress) -> None:
        with self._writing:
            merged = Progress({**self._progress.positions, **progress.positions}, progress.applied_at)
            self._write_meta(schema.PROGRESS_ID, progress_to_json(merged))
            self._progress = merged

    def get(self, keys: Iterable[str]) -> dict[str, StoredPoint]:
        found = self._retrieve([point_id(key) for key in keys], with_payload=True, with_vector=True)
        return {stored.point.key: stored for stored in map(stored_of, found)}

    def upsert(self, points: Sequence[StoredPoint]) -> None:
        with self._writing:
            for chunk in self._checked(points):
                seqs = self._seqs(chunk)
                self._put([stored for stored in chunk if stored.point.seq >= seqs.get(stored.point.id, -1)])

    def upgrade(self, points: Sequence[StoredPoint]) -> None:
        with self._writing:
            for chunk in self._checked(points):
                seqs = self._seqs(chunk, live=True)
                self._put([stored for stored in chunk if stored.point.seq == seqs.get(stored.point.id)])

    def search(self, query: Query) -> list[Hit]:
        check_query(query, self._dimensions)
        return find(_EdgeRanker(self._shard, query), query)

    def page(self, listing: Listing) -> tuple[list[Point], Place | None]:
        return list_page(_EdgeLister(self._shard, listing), listing)

    def users(self) -> dict[str, int]:
        shard = self._shard
        limit = max(1, shard.info().points_count)
        request = edge.FacetRequest("user_id", limit=limit, exact=True, filter=schema.LIVE)
        return {str(hit.value): hit.count for hit in shard.facet(request).hits}

    def count(self) -> int:
        return self._shard.count(edge.CountRequest(exact=True, filter=schema.LIVE))

    def tombstones(self, since: int) -> int:
        return self._shard.count(edge.CountRequest(exact=True, filter=schema.deleted_since(since)))

    def scroll(self, limit: int, after: str | None = None) -> tuple[list[StoredPoint], str | None]:
        found, mark = self._scrolled(limit, after, with_vector=True)
        return [stored_of(record) for record in found], mark

    def scroll_points(self, limit: int, after: str | None = None) -> tuple[list[Point], str | None]:
        found, mark = self._scrolled(limit, after, with_vector=False)
        return [from_payload(payload_of(record)) for record in found], mark

    def expired(self, before: int, limit: int) -> list[Point]:
        request = edge.ScrollRequest(limit=limit, filter=schema.expired_filter(before), with_payload=True)
        return [from_payload(payload_of(record)) for record in self._shard.scroll(request)[0]]

    def purge(self, before: int) -> None:
        with self._writing:
            self._update(edge.UpdateOperation.delete_points_by_filter(schema.tombstone_filter(before)))

    def flush(self) -> None:
        with self._writing:
            if self._unflushed:
                self._shard.flush()
                self._unflushed = False

    def optimize(self) -> bool:
        """Merge segments and build graphs; whether there was anything to do. Stops every thread for seconds."""
        with self._writing:
            return self._shard.optimize()

    def close(self) -> None:
        with self._writing:
            if self._open is not None:
                self._open.close()
                self._open = None
                self._lock.release()

    @property
    def _shard(self) -> edge.EdgeShard:
        if self._open is None:
            raise RuntimeError("the index is closed")
        return self._open

    def _checked(self, points: Sequence[StoredPoint]) -> Iterator[Sequence[StoredPoint]]:
        """The points in chunks, once all have been found to be storable."""
        check_points(points, self._dimensions)
        return (points[start : start + CHUNK] for start in range(0, len(points), CHUNK))

    def _seqs(self, points: Sequence[StoredPoint], live: bool = False) -> dict[str, int]:
        """The stored seq of each of these points that exists (and is no tombstone, if `live`).

        We are the only writer, so what we read under our lock is what we replace. An Edge condition would do the
        same, but is evaluated anew when the write-ahead log is replayed.
        """
        ids = [stored.point.id for stored in points]
        found = ((str(record.id), payload_of(record)) for record in self._retrieve(ids, ["seq", "state"], False))
        return {id_: payload["seq"] for id_, payload in found if not (live and payload["state"] == "deleted")}

    def _put(self, points: Sequence[StoredPoint]) -> None:
        if points:
            self._update(edge.UpdateOperation.upsert_points([_edge_point(stored) for stored in points]))

    def _retrieve(self, ids: list[str], with_payload: Any, with_vector: bool) -> list[edge.Record]:
        shard = self._shard
        chunks = (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
        return [record for chunk in chunks for record in shard.retrieve(list(chunk), with_payload, with_vector)]

    def _scrolled(self, limit: int, after: str | None, with_vector: bool) -> tuple[list[edge.Record], str | None]:
        offset = None if after is None else UUID(after)
        request = edge.ScrollRequest(
            offset=offset, limit=limit, filter=schema.MEMORIES, with_payload=True, with_vector=with_vector
        )
        found, mark = self._shard.scroll(request)
        return found, None if mark is None else str(mark)

    def _meta(self, id_: str) -> str | None:
        found = self._retrieve([id_], True, False)
        return str(payload_of(found[0])["meta"]) if found else None

    def _write_meta(self, id_: str, text: str) -> None:
        with self._writing:
            self._update(edge.UpdateOperation.upsert_points([edge.Point(id_, {}, {"meta": text})]))

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._unflushed = True
        self._shard.update(operation)


def _edge_point(stored: StoredPoint) -> edge.Point:
    try:
        return edge.Point(stored.point.id, schema.vectors_of(stored), to_payload(stored.point))
    except (TypeError, ValueError) as error:
        raise Rejected(f"{stored.point.key}: {error}") from error


class _EdgeRanker(Ranker):
    """One search, put to a shard."""

    def __init__(self, shard: edge.EdgeShard, query: Query) -> None:
        self._shard, self._visible = shard, schema.visible(query)

    def ask(self, asked: Sequence[Ask]) -> list[list[Ranked]]:
        requests = [schema.request_of(ask, self._visible) for ask in asked]
        answers = self._shard.query_batch(edge.QueryBatchRequest(requests))
        return [[Ranked(str(one.id), one.score, _words(one.vector)) for one in found] for found in answers]

    def visible(self) -> int:
        return self._shard.count(edge.CountRequest(exact=True, filter=self._visible))

    def points(self, ids: Collection[str]) -> Mapping[str, Point]:
        found = self._shard.retrieve(list(ids), True, False)
        return {str(record.id): from_payload(payload_of(record)) for record in found}


class _EdgeLister(Lister):
    """One page, put to a shard."""

    def __init__(self, shard: edge.EdgeShard, listing: Listing) -> None:
        self._shard, self._listing = shard, listing

    def ordered(self, beyond: int | None, limit: int) -> list[Point]:
        return self._points(schema.ordered_request(self._listing, beyond, limit))

    def tied(self, value: int, after: str | None, limit: int) -> list[Point]:
        found = self._points(schema.tied_request(self._listing, value, after, limit + (after is not None)))
        return [point for point in found if point.id != after][:limit]

    def _points(self, request: edge.ScrollRequest) -> list[Point]:
        return [from_payload(payload_of(record)) for record in self._shard.scroll(request)[0]]


def _words(vector: Any) -> SparseVector | None:
    return sparse_of(vector["bm25"]) if vector else None
