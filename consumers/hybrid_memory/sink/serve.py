"""The wiring of `hm sink`."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.http import Guard, install_problems, make_guard
from hybrid_memory.runtime.http.listen import bind, run_until_told
from hybrid_memory.runtime.http.probes import make_probes
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.sink.worker import Worker

_LOG = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Follow the log into the index on a server until told to stop (SIGINT or SIGTERM).

    Raises:
        Refusal: no Kafka or no server is named, the port is taken, the server does not let us in or is too old, or
            the index is not a view of this log; or it would stand open to other machines.
    """
    configure_logs(settings.log)
    _ = settings.bootstrap_servers
    if settings.qdrant.url is None:
        raise Refusal("hm sink feeds a Qdrant server, and none is named (--qdrant-url); without one hm serve is enough")
    guard = make_guard(settings, settings.sink.host)
    listener = bind(settings.sink.host, settings.sink.port)
    metrics = Metrics()
    worker = Worker(settings, metrics, on_failure=lambda: setattr(server, "should_exit", True))
    server = uvicorn.Server(uvicorn.Config(_app(worker, metrics, guard), log_config=None, access_log=False))
    _LOG.info("listening", extra={"url": f"http://{settings.sink.host}:{listener.getsockname()[1]}"})
    run_until_told(server, listener)
    if worker.loading:
        _LOG.info("stopped while the model was being loaded")
        os._exit(0)
    if worker.failure is not None:
        raise worker.failure


def _app(worker: Worker, metrics: Metrics, guard: Guard) -> FastAPI:
    """Probes and metrics."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()

    app = FastAPI(title="Hybrid memory sink", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    install_problems(app)
    app.include_router(make_probes(worker.not_ready, metrics, guard))
    return app
