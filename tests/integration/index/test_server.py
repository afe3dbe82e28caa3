"""What only an index on a server can get wrong: sharing it, opening it, and its errors."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import grpc
import pytest
from pydantic import BaseModel
from qdrant_client import QdrantClient, models

from hybrid_memory.index import server_schema as schema
from hybrid_memory.index.filters import Filter
from hybrid_memory.index.listing import Listing, Place
from hybrid_memory.index.payload import to_payload
from hybrid_memory.index.points import StoredPoint
from hybrid_memory.index.server import ServerStore
from hybrid_memory.index.server_open import check_version, connect, ensure_collection
from hybrid_memory.index.store import Progress, Rejected
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import QdrantSettings
from hybrid_memory.schemas import Source
from tests.integration.index.build import DIMENSIONS, NOW, ask, live, tombstone
from tests.integration.index.contract import IDENTITY
from tests.integration.index.local_server import SETTINGS, local_client, local_store
from tests.integration.index.refusing_server import KEY, grpc_server, rest_server, store_at


@pytest.fixture
def server() -> Iterator[QdrantClient]:
    client = local_client()
    yield client
    client.close()


@pytest.fixture
def store(server: QdrantClient) -> ServerStore:
    return local_store(server, DIMENSIONS)


# Several sinks


def test_no_position_moves_back_whoever_writes_it(store: ServerStore, server: QdrantClient) -> None:
    other = local_store(server, DIMENSIONS)
    store.claim(IDENTITY)
    store.advance(Progress({("memories", 0): 50, ("memories", 1): 7}, NOW))
    other.advance(Progress({("memories", 0): 40, ("memories", 2): 9}, NOW + 5))
    found = store.progress()
    assert found == Progress({("memories", 0): 50, ("memories", 1): 7, ("memories", 2): 9}, NOW + 5)
    assert found.followed_at == {("memories", 0): NOW, ("memories", 1): NOW, ("memories", 2): NOW + 5}
    other.advance(Progress({("memories", 0): 50}, NOW + 6))
    assert store.progress().followed_at["memories", 0] == NOW + 6


def test_more_positions_than_a_page_or_a_request_holds(store: ServerStore) -> None:
    positions = {("memories", number): number for number in range(700)}
    store.advance(Progress(positions, NOW))
    assert store.progress().positions == positions


def test_the_first_claim_stands(store: ServerStore, server: QdrantClient) -> None:
    store.claim(IDENTITY)
    local_store(server, DIMENSIONS).claim(replace(IDENTITY, index_id="i2"))
    assert store.identity() == IDENTITY


def test_who_missed_that_the_index_is_new_does_not_move_it(store: ServerStore, server: QdrantClient) -> None:
    store.claim(IDENTITY)
    store.advance(Progress({("memories", 0): 50}, NOW))
    server.delete_collection(SETTINGS.collection)
    new = local_store(server, DIMENSIONS)
    new.claim(replace(IDENTITY, index_id="i2"))
    store.advance(Progress({("memories", 0): 51}, NOW))
    assert new.progress() == Progress()
    assert store.identity() == replace(IDENTITY, index_id="i2")
    assert store.progress() == Progress()


def ranked(source: Source, generation: int) -> StoredPoint:
    made = live(seq=5, generation=generation)
    return StoredPoint(replace(made.point, source=source), made.vectors)


@pytest.mark.parametrize("write", [ServerStore.upsert, ServerStore.upgrade])
def test_a_version_of_the_same_seq_only_gets_better(
    store: ServerStore, write: Callable[[ServerStore, list[StoredPoint]], None]
) -> None:
    order = [ranked("rules", 0), ranked("rules", 2), ranked("llm", 2), ranked("llm", 2**31 - 1), ranked("provided", 0)]
    store.upsert(order[:1])
    for place, version in enumerate(order):
        write(store, [version])
        for worse in order[:place]:
            write(store, [worse])
        assert store.get(["ann/m1"])["ann/m1"].point == version.point


def test_a_hit_of_another_user_is_never_shown(store: ServerStore, server: QdrantClient) -> None:
    """A damaged point: its flat payload says ann, its memory says bob."""
    stored = live(user="bob")
    payload = to_payload(stored.point) | {"user_id": "ann"}
    server.upsert(
        SETTINGS.collection,
        [models.PointStruct(id=stored.point.id, vector=schema.vectors_of(stored), payload=payload)],
    )
    with pytest.raises(RuntimeError, match="not that user's memory"):
        store.search(ask("tea", user="ann"))
    assert store.search(ask("tea", user="bob")) == []


def test_every_field_that_is_filtered_on_is_indexed(server: QdrantClient) -> None:
    """A server in strict mode refuses others."""
    asked: list[Any] = []

    class Listening:
        def __getattr__(self, name: str) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                asked.append((args, kwargs))
                return getattr(server, name)(*args, **kwargs)

            return call

    store = local_store(server, DIMENSIONS)
    store._live = cast(QdrantClient, Listening())
    for call in CALLS.values():
        call(store)
    named = set(keys_of(asked))
    assert named >= {"state", "expires_at", "deleted_at", "seq", "rank", "user_id", "topic", "meta", "position"}
    assert named <= schema.payload_indexes().keys()


def keys_of(found: Any) -> Iterator[str]:
    """The fields of all conditions in some requests."""
    if isinstance(found, models.FieldCondition):
        yield found.key
    elif isinstance(found, BaseModel):
        yield from keys_of(list(dict(found).values()))
    elif isinstance(found, dict | list | tuple):
        for value in found.values() if isinstance(found, dict) else found:
            yield from keys_of(value)


# Opening


def test_a_reader_waits_for_a_sink_to_make_the_collection(server: QdrantClient) -> None:
    with pytest.raises(Unavailable, match=r"no collection memories at .* yet; hm sink makes it"):
        local_store(server, DIMENSIONS, create=False)
    local_store(server, DIMENSIONS).upsert([live()])
    assert local_store(server, DIMENSIONS, create=False).count() == 1


def test_a_collection_that_is_not_ours_is_refused(server: QdrantClient, store: ServerStore) -> None:
    with pytest.raises(Refusal, match="64 dimensions, this process embeds in 32"):
        local_store(server, 32)
    server.create_collection("other", vectors_config=models.VectorParams(size=64, distance=models.Distance.DOT))
    with pytest.raises(Refusal, match="other is not an index of memories"):
        ensure_collection(server, SETTINGS.model_copy(update={"collection": "other"}), DIMENSIONS, create=True)


@pytest.mark.parametrize(
    ("version", "why"), [("1.18.3", "is 1.18.3, and before 1.19"), ("0.11", "is 0.11"), ("8.x", "is this Qdrant")]
)
def test_a_server_that_is_too_old_is_refused(version: str, why: str) -> None:
    with rest_server(200, f'{{"title": "q", "version": "{version}"}}', content_type="application/json") as port:
        client = connect(QdrantSettings(url=f"http://127.0.0.1:{port}", prefer_grpc=False))
        with pytest.raises(Refusal, match=why):
            check_version(client, "here")
        client.close()


@pytest.mark.parametrize("version", ["1.19.0", "1.20.1-dev", "2.0"])
def test_newer_servers_are_welcome(version: str) -> None:
    with rest_server(200, f'{{"title": "q", "version": "{version}"}}', content_type="application/json") as port:
        client = connect(QdrantSettings(url=f"http://127.0.0.1:{port}", prefer_grpc=False))
        check_version(client, "here")
        client.close()


def test_a_certificate_file_must_hold_certificates(tmp_path: Any) -> None:
    for text in (None, "no certificate"):
        if text:
            (tmp_path / "ca.pem").write_text(text)
        with pytest.raises(Refusal, match=r"HM_QDRANT__TLS_CA: .*ca\.pem cannot be used"):
            connect(QdrantSettings(url="https://127.0.0.1", tls_ca=tmp_path / "ca.pem"))


# Errors

CALLS: dict[str, Callable[[ServerStore], object]] = {
    "identity": lambda store: store.identity(),
    "claim": lambda store: store.claim(IDENTITY),
    "progress": lambda store: store.progress(),
    "advance": lambda store: store.advance(Progress({("memories", 0): 5}, NOW)),
    "get": lambda store: store.get(["ann/m1"]),
    "upsert": lambda store: store.upsert([live(classifiers=("tea",)), tombstone(id="gone")]),
    "upgrade": lambda store: store.upgrade([live(classifiers=("tea",))]),
    "search": lambda store: store.search(ask("tea", filter=Filter(topic="food"))),
    "page": lambda store: store.page(Listing("ann", 5, NOW, Filter(any_classifiers=("tea",), created_from=1))),
    "tied page": lambda store: store.page(Listing("ann", 5, NOW, after=Place(NOW, live().point.id))),
    "users": lambda store: store.users(),
    "count": lambda store: store.count(),
    "scroll": lambda store: store.scroll(10, live().point.id),
    "expired": lambda store: store.expired(NOW, 10),
    "purge": lambda store: store.purge(NOW),
}


@pytest.mark.parametrize("grpc_too", [True, False], ids=["grpc", "rest"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_server_that_is_away_is_unavailable(call: Callable[[ServerStore], object], grpc_too: bool) -> None:
    """Every request is put into the form of the wire before it fails."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        store = store_at(nobody.getsockname()[1], prefer_grpc=grpc_too)
        with pytest.raises(Unavailable, match=r"Qdrant server at http://127\.0\.0\.1:\d+ does not answer") as caught:
            call(store)
        store.close()
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize(
    ("code", "expected", "why"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable, "does not answer"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable, "does not answer"),
        (grpc.StatusCode.INTERNAL, Unavailable, "does not answer"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Unavailable, "wants fewer requests"),
        (grpc.StatusCode.UNAUTHENTICATED, Refusal, "set HM_QDRANT__API_KEY"),
        (grpc.StatusCode.PERMISSION_DENIED, Refusal, "set HM_QDRANT__API_KEY"),
        (grpc.StatusCode.NOT_FOUND, Refusal, "is gone; start again, and it is built anew"),
        (grpc.StatusCode.INVALID_ARGUMENT, Rejected, "the index does not take it: no"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_grpc_errors_in_our_words(code: grpc.StatusCode, expected: type[Exception], why: str) -> None:
    with grpc_server(code) as port:
        store = store_at(port)
        with pytest.raises(expected, match=why) as caught:
            store.upsert([live()])
        store.close()
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize(
    ("status", "expected", "why"),
    [
        (500, Unavailable, "does not answer"),
        (503, Unavailable, "does not answer"),
        (429, Unavailable, "wants fewer requests"),
        (401, Refusal, "set HM_QDRANT__API_KEY"),
        (403, Refusal, "set HM_QDRANT__API_KEY"),
        (404, Refusal, "is gone"),
        (400, Rejected, "the index does not take it: bad vector"),
        (422, Rejected, "the index does not take it: bad vector"),
    ],
)
def test_rest_errors_in_our_words(status: int, expected: type[Exception], why: str) -> None:
    with rest_server(status, "bad vector\nand more") as port:
        store = store_at(port, prefer_grpc=False)
        with pytest.raises(expected, match=why) as caught:
            store.upsert([live()])
        store.close()
    assert KEY not in repr(caught.value)
    assert "and more" not in str(caught.value)


def test_the_wait_that_the_server_advises_is_told() -> None:
    with grpc_server(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=17) as port:
        store = store_at(port)
        with pytest.raises(Unavailable) as caught:
            store.count()
        store.close()
    assert caught.value.retry_after == 17
    with rest_server(429, retry_after="19") as port:
        store = store_at(port, prefer_grpc=False)
        with pytest.raises(Unavailable) as caught:
            store.count()
        store.close()
    assert caught.value.retry_after == 19


def test_a_write_that_is_only_taken_in_is_not_done(store: ServerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    late = models.UpdateResult(operation_id=1, status=models.UpdateStatus.WAIT_TIMEOUT)
    monkeypatch.setattr(store, "_live", type("Slow", (), {"upsert": lambda *_, **__: late})())
    with pytest.raises(Unavailable, match="not finished a write"):
        store.upsert([live()])
