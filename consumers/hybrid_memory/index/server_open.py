"""Connects to a Qdrant server, and makes the collection where there is none."""

import logging
import ssl
import warnings
from typing import Any

import grpc
from qdrant_client import QdrantClient, models

from hybrid_memory.index import server_schema as schema
from hybrid_memory.index.server_errors import AlreadyThere, Wrong, address_of, translated
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import QdrantSettings

_LOG = logging.getLogger(__name__)
OLDEST = (1, 19)
"""Before it, a guarded write could be replayed wrongly after a crash of the server, and bring back what was deleted."""
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def connect(settings: QdrantSettings) -> QdrantClient:
    """A client; it connects when it is first used.

    Raises:
        Refusal: no server is named, or a setting cannot be used.
    """
    if settings.url is None:
        raise Refusal("no Qdrant server is named; set HM_QDRANT__URL=http://host:6333")
    key = settings.api_key.get_secret_value() if settings.api_key else None
    if key and settings.url.startswith("http://") and not settings.url.startswith(_LOOPBACK):
        _LOG.warning("the API key goes to %s unencrypted; use https", address_of(settings.url))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said above, once and in the log
        return QdrantClient(
            url=settings.url,
            grpc_port=settings.grpc_port,
            prefer_grpc=settings.prefer_grpc,
            api_key=key,
            timeout=settings.timeout_seconds,
            check_compatibility=False,  # `check_version` is stricter
            **_trust(settings),
        )


def check_version(client: QdrantClient, address: str) -> None:
    """Refuse a server that is too old.

    Raises:
        Unavailable, Refusal: as :func:`translated`; or it is too old.
    """
    with translated(address):
        version = client.info().version
    try:
        major, minor, *_ = (int(part) for part in version.split("-")[0].split("."))
    except ValueError:
        raise Refusal(f"the server at {address} says its version is {version!r}; is this Qdrant?") from None
    if (major, minor) < OLDEST:
        raise Refusal(
            f"the Qdrant server at {address} is {version}, and before {OLDEST[0]}.{OLDEST[1]} a crash of it could "
            "bring back deleted memories; upgrade it, one minor version at a time"
        )


def ensure_collection(client: QdrantClient, settings: QdrantSettings, dimensions: int, create: bool) -> None:
    """Check the collection; where `create`, make it and its payload indexes first, or finish what another began.

    Raises:
        Unavailable: the server is away, or the collection is not there and is not ours to make.
        Refusal: it does not let us in, or the collection is not one of ours.
    """
    name, address = settings.collection, address_of(settings.url or "")
    try:
        with translated(address):
            if not client.collection_exists(name):
                if not create:
                    raise Unavailable(f"there is no collection {name} at {address} yet; hm sink makes it")
                _create(client, settings, dimensions)
            info = client.get_collection(name)
            _check(info, name, dimensions)
            for field in schema.payload_indexes().keys() - info.payload_schema.keys() if create else ():
                client.create_payload_index(name, field, schema.payload_indexes()[field], wait=True)
    except Wrong as error:
        raise Refusal(f"the collection {name} at {address} cannot be made: {error}") from None


def _create(client: QdrantClient, settings: QdrantSettings, dimensions: int) -> None:
    try:
        with translated(address_of(settings.url or "")):
            client.create_collection(
                settings.collection,
                vectors_config=schema.vectors_config(dimensions),
                sparse_vectors_config=schema.sparse_config(),
                hnsw_config=schema.graph_config(),
                shard_number=settings.shards,
                replication_factor=settings.replicas,
                write_consistency_factor=settings.replicas // 2 + 1,
            )
    except AlreadyThere:
        _LOG.info("another process made the collection %s", settings.collection)


def _check(info: models.CollectionInfo, name: str, dimensions: int) -> None:
    vectors = info.config.params.vectors
    if not isinstance(vectors, dict) or not {"text", "classifiers"} <= vectors.keys():
        raise Refusal(f"the collection {name} is not an index of memories; name another with HM_QDRANT__COLLECTION")
    if vectors["text"].size != dimensions:
        raise Refusal(
            f"the collection {name} is for vectors of {vectors['text'].size} dimensions, this process embeds in "
            f"{dimensions}; build a new one beside it with: hm rebuild; or name another with HM_QDRANT__COLLECTION"
        )


def _trust(settings: QdrantSettings) -> dict[str, Any]:
    """Whom to trust, where that is not what everybody does."""
    if settings.tls_ca is None:
        return {}
    try:
        trusted = settings.tls_ca.read_bytes()
        context = ssl.create_default_context(cadata=trusted.decode("ascii"))
        grpc.ssl_channel_credentials(root_certificates=trusted)
    except (OSError, ValueError) as error:
        raise Refusal(f"HM_QDRANT__TLS_CA: {settings.tls_ca} cannot be used ({type(error).__name__})") from None
    return {"grpc_options": {"root_certificates": trusted}, "verify": context}
