"""A Qdrant server's stand-in in this process: qdrant-client's local mode, which takes the same requests.

It is not thread-safe, so every call is made behind one lock. It has no indexes, no graph, no replicas, and evaluates a
guard point by point where a server does so once before the request; our requests name a point only once.
"""

import warnings
from pathlib import Path
from threading import RLock
from typing import Any, cast

from httpx import Headers
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from hybrid_memory.index.server import ServerStore
from hybrid_memory.index.server_open import check_version, ensure_collection
from hybrid_memory.runtime.settings import QdrantSettings

SETTINGS = QdrantSettings(url="http://127.0.0.1:6333")


class _OneAtATime:
    def __init__(self, client: QdrantClient) -> None:
        self._real, self._lock = client, RLock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                try:
                    return method(*args, **kwargs)
                except ValueError as error:
                    raise _as_a_server_says(error) from None

        return call


def _as_a_server_says(error: ValueError) -> Exception:
    """Two may make a collection at once, and one is told so."""
    if "already exists" not in str(error):
        return error
    return UnexpectedResponse(409, "Conflict", str(error).encode(), Headers())


def local_client(folder: Path | None = None) -> QdrantClient:
    """A client of a server that is only here; with a folder, what it holds survives `close`."""
    client = QdrantClient(":memory:") if folder is None else QdrantClient(path=str(folder))
    return cast(QdrantClient, _OneAtATime(client))


def local_store(client: QdrantClient, dimensions: int, create: bool = True) -> ServerStore:
    """A store on that server, opened as a real one is."""
    check_version(client, "here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it has no payload indexes, and says so
        ensure_collection(client, SETTINGS, dimensions, create)
    return ServerStore(client, SETTINGS.collection, dimensions, "here")
