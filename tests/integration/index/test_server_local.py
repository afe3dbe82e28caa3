"""The contract on the server's adapter, over qdrant-client's local mode."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from hybrid_memory.index.server import ServerStore
from hybrid_memory.index.store import VectorStore
from tests.integration.index.build import DIMENSIONS, live
from tests.integration.index.contract import StoreContract, same
from tests.integration.index.local_server import local_client, local_store


class TestLocalServer(StoreContract):
    """The client outlives the stores, as a server would."""

    def open(self, where: QdrantClient) -> ServerStore:
        return local_store(where, DIMENSIONS)

    @pytest.fixture
    def where(self, tmp_path: Path) -> Iterator[QdrantClient]:
        client = local_client()
        yield client
        client.close()

    def test_what_was_read_can_be_written_again_without_drift(self, store: VectorStore) -> None:
        """Local mode makes vectors of length 1 on every write, in 32 bits: the last bit may move, and no more."""
        first = live(classifiers=("tea",))
        store.upsert([first])
        for _ in range(20):
            store.upsert([store.get(["ann/m1"])["ann/m1"]])
        assert same(store.get(["ann/m1"])["ann/m1"], first)
