"""Probes and metrics of the stream, served by a thread of their own: they answer whatever the stream is busy with."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.runtime.http.guard import Guard
from hybrid_memory.runtime.http.probes import make_probes
from hybrid_memory.runtime.http.problems import install_problems
from hybrid_memory.runtime.metrics import Metrics


@contextmanager
def served(listener: socket.socket, status: Status, metrics: Metrics, guard: Guard) -> Iterator[None]:
    """Serve `/livez`, `/readyz` and `/metrics` while the context lasts."""
    app = FastAPI(title="Hybrid memory: the classifier stream", openapi_url=None)
    install_problems(app)
    app.include_router(make_probes(lambda: status.not_ready, metrics, guard))
    config = uvicorn.Config(app, log_config=None, access_log=False, loop="asyncio", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="probes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(5)
