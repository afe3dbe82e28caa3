"""The API as `hm serve` makes it, in this process: real HTTP, a real Kafka and Edge index, the hash embedder, keys."""

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from hybrid_memory.query.app import create_app
from hybrid_memory.query.engine import Engine
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.runtime.topics import apply_topics


@dataclass(frozen=True)
class Stack:
    """Where it listens, and a key that opens everything."""

    url: str
    key: str


@contextmanager
def running(kafka: str, folder: Path) -> Iterator[Stack]:
    """A stack with topics of its own, ready."""
    prefix = f"api{uuid.uuid4().hex[:8]}."
    settings = load_settings(
        kafka={"bootstrap_servers": kafka},
        topic_prefix=prefix,
        data_dir=folder,
        embedder={"kind": "hash"},
        http={"rate_per_second": 0},
    )
    apply_topics(settings)
    key = make_key("tests", list(Scope), "all")
    change_keys(folder / "keys.yaml", lambda _: (key.entry,))
    metrics = Metrics()
    engine = Engine(settings, metrics, lambda: None)
    with _served(create_app(settings, engine, metrics)) as url:
        _until_ready(engine)
        yield Stack(url, key.key)
    assert engine.failure is None


@contextmanager
def _served(app: object) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(40)


def _until_ready(engine: Engine, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while (reason := engine.not_ready()) is not None:
        assert time.monotonic() < deadline, f"{reason}; {engine.failure}"
        time.sleep(0.05)
