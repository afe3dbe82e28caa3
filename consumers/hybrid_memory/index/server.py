"""The vector store on a Qdrant server or cluster: many processes may share one.

Every write waits until it is in the server's write-ahead log and can be read, so a position that is stored is true.
Writes are guarded on the server: what is stored is replaced only where it is not newer. So it does not matter who
writes, how often, or how late; see `hybrid_memory.sink.share`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from qdrant_client import QdrantClient, models

from hybrid_memory.index import server_meta as meta
from hybrid_memory.index import server_schema as schema
from hybrid_memory.index.listing import Lister, Listing, Place, list_page
from hybrid_memory.index.meta import identity_from_json
from hybrid_memory.index.payload import from_payload
from hybrid_memory.index.points import Point, SparseVector, StoredPoint
from hybrid_memory.index.ranker import Ask, Ranked, Ranker
from hybrid_memory.index.records import payload_of, sparse_of, stored_of
from hybrid_memory.index.retrieval import find
from hybrid_memory.index.server_errors import Wrong, address_of, rejected, translated
from hybrid_memory.index.server_generations import ServerGenerations
from hybrid_memory.index.server_open import check_version, connect, ensure_collection
from hybrid_memory.index.store import Hit, Identity, Progress, Query, VectorStore
from hybrid_memory.index.validate import check_points, check_query
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import QdrantSettings
from hybrid_memory.schemas import point_id

CHUNK = 128
"""Points a request: 64 to 256 is what the vendor advises; a guarded one carries a condition a point."""

_PAGE = 256
# Of several replicas, one decides what a guard finds, for all.
_ORDERED = models.WriteOrdering.MEDIUM


class ServerStore(VectorStore):
    """See :class:`VectorStore`; open one with :meth:`open`.

    `applied_at` of the progress counts for the partitions that are named with it.
    """

    searches_at_once = 64  # mostly they wait for it

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        dimensions: int,
        address: str = "",
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._live: QdrantClient | None = client
        self._collection = collection
        self._dimensions = dimensions
        self._address = address
        self._on_close = on_close
        self._index_id: str | None = None

    @classmethod
    def open(cls, settings: QdrantSettings, dimensions: int, create: bool, generation: str | None = None) -> Self:
        """The index on a server, in its current generation unless one is named; where `create`, it is made if need be.

        Raises:
            Unavailable: the server is away, or there is no index and it is not ours to make.
            Refusal: the server is too old, does not let us in, or the collection is not an index of these dimensions.
        """
        client = connect(settings)
        address = address_of(settings.url or "")
        try:
            check_version(client, address)
            name = generation or ServerGenerations(client, settings.collection, address).current()
            ensure_collection(client, settings.model_copy(update={"collection": name}), dimensions, create)
        except BaseException:
            client.close()
            raise
        return cls(client, name, dimensions, address, client.close)

    @classmethod
    def open_existing(cls, settings: QdrantSettings, generation: str) -> Self:
        """A generation of the index on a server, whatever it is a view of.

        Raises:
            Unavailable, Refusal: as `open`; or it does not say what it is.
        """
        client = connect(settings)
        store = cls(client, generation, 0, address_of(settings.url or ""), client.close)
        try:
            identity = store.identity()
            if identity is None:
                raise Refusal(f"the collection {generation} is no index that was ever used")
        except BaseException:
            store.close()
            raise
        store._dimensions = identity.dimensions
        return store

    @property
    def generation(self) -> str:
        """The name of its collection."""
        return self._collection

    def identity(self) -> Identity | None:
        found = self._retrieve([meta.IDENTITY_ID], with_vectors=False)
        identity = identity_from_json(payload_of(found[0])["identity"]) if found else None
        self._index_id = identity.index_id if identity else None
        return identity

    def claim(self, identity: Identity) -> None:
        self._upsert([meta.identity_point(identity)], None, models.UpdateMode.INSERT_ONLY)
        self._index_id = None

    def progress(self) -> Progress:
        index_id, found, mark = self._index(), [], None
        while True:
            with self._asking() as client:
                page, mark = client.scroll(
                    self._collection, scroll_filter=meta.PROGRESS, limit=_PAGE, offset=mark, with_payload=True
                )
            found += page
            if mark is None:
                return meta.progress_of(index_id, map(payload_of, found))

    def advance(self, progress: Progress) -> None:
        points = meta.progress_points(self._index(), progress)
        for start in range(0, len(points), CHUNK):
            chunk = points[start : start + CHUNK]
            self._upsert(chunk, meta.not_ahead(chunk))

    def get(self, keys: Iterable[str]) -> dict[str, StoredPoint]:
        found = self._retrieve([point_id(key) for key in keys], with_vectors=True)
        return {stored.point.key: stored for stored in map(stored_of, found)}

    def upsert(self, points: Sequence[StoredPoint]) -> None:
        for chunk in self._checked(points):
            self._write(chunk, schema.not_newer(chunk), models.UpdateMode.UPSERT)

    def upgrade(self, points: Sequence[StoredPoint]) -> None:
        for chunk in self._checked(points):
            self._write(chunk, schema.same_version(chunk), models.UpdateMode.UPDATE_ONLY)

    def search(self, query: Query) -> list[Hit]:
        check_query(query, self._dimensions)
        return find(_ServerRanker(self, query), query)

    def rank(self, visible: models.Filter, asked: Sequence[Ask]) -> list[list[Ranked]]:
        """The answers to the questions of a search, in one round trip."""
        requests = [schema.request_of(ask, visible) for ask in asked]
        with self._asking() as client:
            answers = client.query_batch_points(self._collection, requests)
        return [[Ranked(str(one.id), one.score, _words(one.vector)) for one in answer.points] for answer in answers]

    def visible(self, visible: models.Filter) -> int:
        """How many memories a search could find."""
        with self._asking() as client:
            return client.count(self._collection, count_filter=visible, exact=True).count

    def points(self, ids: Iterable[str]) -> dict[str, Point]:
        """These points by id."""
        return {str(one.id): from_payload(payload_of(one)) for one in self._retrieve(list(ids), with_vectors=False)}

    def page(self, listing: Listing) -> tuple[list[Point], Place | None]:
        return list_page(_ServerLister(self, listing), listing)

    def listed(self, request: dict[str, Any]) -> list[Point]:
        """The points that a scroll finds."""
        with self._asking() as client:
            found, _ = client.scroll(self._collection, with_payload=True, **request)
        return [from_payload(payload_of(record)) for record in found]

    def users(self) -> dict[str, int]:
        most = max(1, self.count())
        with self._asking() as client:
            found = client.facet(self._collection, "user_id", facet_filter=schema.LIVE, limit=most, exact=True)
        return {str(hit.value): hit.count for hit in found.hits}

    def count(self) -> int:
        with self._asking() as client:
            return client.count(self._collection, count_filter=schema.LIVE, exact=True).count

    def tombstones(self, since: int) -> int:
        with self._asking() as client:
            return client.count(self._collection, count_filter=schema.deleted_since(since), exact=True).count

    def scroll(self, limit: int, after: str | None = None) -> tuple[list[StoredPoint], str | None]:
        found, mark = self._scrolled(limit, after, with_vectors=True)
        return [stored_of(record) for record in found], mark

    def scroll_points(self, limit: int, after: str | None = None) -> tuple[list[Point], str | None]:
        found, mark = self._scrolled(limit, after, with_vectors=False)
        return [from_payload(payload_of(record)) for record in found], mark

    def expired(self, before: int, limit: int) -> list[Point]:
        with self._asking() as client:
            found, _ = client.scroll(self._collection, schema.expired_filter(before), limit=limit, with_payload=True)
        return [from_payload(payload_of(record)) for record in found]

    def purge(self, before: int) -> None:
        old = models.FilterSelector(filter=schema.tombstone_filter(before))
        with self._asking() as client:
            _settled(client.delete(self._collection, old, wait=True, ordering=_ORDERED))

    def flush(self) -> None:
        """Nothing: each write has waited for the server. What its disk then survives is the server's matter."""
        _ = self._client

    def close(self) -> None:
        if self._live is not None:
            self._live = None
            self._on_close()

    @property
    def _client(self) -> QdrantClient:
        if self._live is None:
            raise RuntimeError("the index is closed")
        return self._live

    @contextmanager
    def _asking(self) -> Iterator[QdrantClient]:
        """The client; its errors come out in our words."""
        with translated(self._address):
            yield self._client

    def _index(self) -> str:
        """The id of the index, or nothing while it is new."""
        if self._index_id is None:
            self.identity()
        return self._index_id or ""

    def _checked(self, points: Sequence[StoredPoint]) -> Iterator[Sequence[StoredPoint]]:
        """The points in chunks, once all have been found to be storable."""
        _ = self._client
        check_points(points, self._dimensions)
        return (points[start : start + CHUNK] for start in range(0, len(points), CHUNK))

    def _write(self, points: Sequence[StoredPoint], guard: models.Filter, mode: models.UpdateMode) -> None:
        try:
            self._upsert([schema.to_struct(stored) for stored in points], guard, mode)
        except (Wrong, ValueError, TypeError) as error:
            raise rejected(error) from None

    def _upsert(
        self,
        points: Sequence[models.PointStruct],
        guard: models.Filter | None,
        mode: models.UpdateMode = models.UpdateMode.UPSERT,
    ) -> None:
        with self._asking() as client:
            done = client.upsert(
                self._collection, list(points), wait=True, ordering=_ORDERED, update_filter=guard, update_mode=mode
            )
            _settled(done)

    def _scrolled(self, limit: int, after: str | None, with_vectors: bool) -> tuple[list[models.Record], str | None]:
        with self._asking() as client:
            found, mark = client.scroll(
                self._collection,
                schema.MEMORIES,
                limit=limit,
                offset=after,
                with_payload=True,
                with_vectors=with_vectors,
            )
        return found, None if mark is None else str(mark)

    def _retrieve(self, ids: list[str], with_vectors: bool) -> list[models.Record]:
        found: list[models.Record] = []
        for start in range(0, len(ids), CHUNK):
            with self._asking() as client:
                found += client.retrieve(self._collection, ids[start : start + CHUNK], True, with_vectors)
        return found


def open_generations(settings: QdrantSettings) -> ServerGenerations:
    """The generations of the index that these settings name, over a connection of their own.

    Raises:
        Refusal: no server is named, or a setting cannot be used.
    """
    return ServerGenerations(connect(settings), settings.collection, address_of(settings.url or ""))


def _settled(result: models.UpdateResult) -> None:
    """Insist on a write that can be read: one that the server has only taken in is not done."""
    if result.status != models.UpdateStatus.COMPLETED:
        raise Unavailable(f"the Qdrant server has not finished a write ({result.status})")


class _ServerRanker(Ranker):
    """One search, put to a server."""

    def __init__(self, store: ServerStore, query: Query) -> None:
        self._store, self._visible = store, schema.visible(query)

    def ask(self, asked: Sequence[Ask]) -> list[list[Ranked]]:
        return self._store.rank(self._visible, asked)

    def visible(self) -> int:
        return self._store.visible(self._visible)

    def points(self, ids: Collection[str]) -> Mapping[str, Point]:
        return self._store.points(ids)


class _ServerLister(Lister):
    """One page, put to a server."""

    def __init__(self, store: ServerStore, listing: Listing) -> None:
        self._store, self._listing = store, listing

    def ordered(self, beyond: int | None, limit: int) -> list[Point]:
        return self._store.listed(schema.ordered_request(self._listing, beyond, limit))

    def tied(self, value: int, after: str | None, limit: int) -> list[Point]:
        found = self._store.listed(schema.tied_request(self._listing, value, after, limit + (after is not None)))
        return [point for point in found if point.id != after][:limit]


def _words(vector: Any) -> SparseVector | None:
    return sparse_of(vector["bm25"]) if vector else None
