"""The wiring of `hm mem0 publish`."""

import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import uvicorn
from fastapi import FastAPI

from hybrid_memory.mem0.patience import Stopped
from hybrid_memory.mem0.publish import publish, publish_once
from hybrid_memory.runtime.background import Background
from hybrid_memory.runtime.ending import stopped_when_told
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.http import install_problems
from hybrid_memory.runtime.http.listen import bind, run_until_told
from hybrid_memory.runtime.http.probes import make_probes
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 30.0


class Worker(Background):
    """The publisher, behind the probes."""

    def __init__(self, settings: Settings, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        super().__init__("mem0-publish", on_failure)
        self._settings, self._metrics = settings, metrics
        self._stop, self._ready = threading.Event(), threading.Event()

    def not_ready(self) -> str | None:
        """Why it does not publish, or None."""
        return None if self._ready.is_set() else "Mem0 or Kafka is away, or the log is being read"

    def stop(self) -> None:
        """End after the batch that was begun."""
        self._stop.set()
        self.join(_STOP_SECONDS)

    def _run(self) -> None:
        publish(self._settings, self._metrics, self._stop, self._ready)


def serve(settings: Settings) -> None:
    """Publish until told to stop (SIGINT or SIGTERM), with probes beside it.

    Raises:
        Refusal: no Kafka or no Mem0 is named, one of them does not let us in, or the port is taken.
    """
    configure_logs(settings.log)
    _ = settings.bootstrap_servers
    if settings.mem0.api_key is None:
        raise Refusal("no Mem0 is named; set HM_MEM0__API_KEY (or HM_MEM0__API_KEY_FILE) to its project's API key")
    listener = bind(settings.mem0.host, settings.mem0.port)
    metrics = Metrics()
    worker = Worker(settings, metrics, on_failure=lambda: setattr(server, "should_exit", True))
    server = uvicorn.Server(uvicorn.Config(_app(worker, metrics), log_config=None, access_log=False))
    _LOG.info("listening", extra={"url": f"http://{settings.mem0.host}:{listener.getsockname()[1]}"})
    run_until_told(server, listener)
    if worker.failure is not None:
        raise worker.failure


def print_done(settings: Settings, as_json: bool) -> None:
    """Deal with what is hinted at by now, and say what became of it. Raises as `publish_once`."""
    configure_logs(settings.log)
    logging.getLogger("hybrid_memory.mem0").setLevel(logging.WARNING)  # the last line says it all
    with stopped_when_told() as stop:
        try:
            done = publish_once(settings, stop)
        except Stopped:
            raise Refusal("stopped; what was not dealt with is still hinted at") from None
    if as_json:
        print(json.dumps(asdict(done)))
    else:
        said = f"{done.published:,} published, {done.deleted:,} deleted, {done.unchanged:,} as they were"
        print(f"{said}, {done.dead:,} dead (hm dlq list)" if done.dead else said)


def _app(worker: Worker, metrics: Metrics) -> FastAPI:
    """Probes and metrics."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop()

    app = FastAPI(title="Mem0 publisher", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    install_problems(app)
    app.include_router(make_probes(worker.not_ready, metrics))
    return app
