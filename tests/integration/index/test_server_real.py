"""The contract on a real Qdrant server: the one that HM_TEST_QDRANT_URL names, else one in a container.

What the local mode only pretends is checked here: guards that are evaluated before the request, payload indexes.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from hybrid_memory.index import server_schema as schema
from hybrid_memory.index.server import ServerStore
from hybrid_memory.index.server_open import connect
from hybrid_memory.runtime.settings import QdrantSettings
from tests.integration.index.build import DIMENSIONS
from tests.integration.index.contract import StoreContract

_IMAGE = "qdrant/qdrant:v1.19.0"


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    """Where it is: settings."""
    if url := os.environ.get("HM_TEST_QDRANT_URL"):
        yield {"url": url, "api_key": os.environ.get("HM_TEST_QDRANT_API_KEY")}
        return
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, timeout=60).returncode:
        pytest.skip("no Docker engine answers here, and HM_TEST_QDRANT_URL names no server")
    from testcontainers.core.container import DockerContainer

    with DockerContainer(_IMAGE).with_exposed_ports(6333, 6334) as container:
        host = container.get_container_host_ip()
        yield {
            "url": f"http://{host}:{container.get_exposed_port(6333)}",
            "grpc_port": int(container.get_exposed_port(6334)),
        }


@pytest.mark.docker
@pytest.mark.parametrize("prefer_grpc", [True, False], ids=["grpc", "rest"], scope="class")
class TestRealServer(StoreContract):
    def open(self, where: QdrantSettings) -> ServerStore:
        return ServerStore.open(where, DIMENSIONS, create=True)

    @pytest.fixture
    def where(self, server: dict[str, Any], prefer_grpc: bool) -> Iterator[QdrantSettings]:
        """A collection of its own, gone after the test."""
        settings = QdrantSettings(**server, prefer_grpc=prefer_grpc, collection=f"test-{uuid.uuid4().hex}")
        yield settings
        client = connect(settings)
        client.delete_collection(settings.collection)
        client.close()

    def test_the_payload_indexes_are_there(self, store: ServerStore, where: QdrantSettings) -> None:
        client = connect(where)
        found = client.get_collection(where.collection)
        client.close()
        assert found.payload_schema.keys() == schema.payload_indexes().keys()
        assert found.config.hnsw_config.payload_m == 16
