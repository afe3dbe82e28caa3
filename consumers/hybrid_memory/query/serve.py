"""The wiring of `hm serve`."""

import logging
import os

import uvicorn

from hybrid_memory.index.edge_folder import lock_folder
from hybrid_memory.index.folders import index_folder
from hybrid_memory.query.app import create_app
from hybrid_memory.query.engine import Engine
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.http import make_guard
from hybrid_memory.runtime.http.listen import bind, run_until_told
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGINT or SIGTERM).

    Raises:
        Refusal: it cannot serve as asked: no Kafka is named, the port is taken, the folder is not ours to write,
            the index is not a view of this log, or others than this machine could call without a key.
    """
    configure_logs(settings.log)
    _ = settings.bootstrap_servers
    if settings.qdrant.url is None:
        _make_folder(settings)
    guard = make_guard(settings, settings.http.host)
    if settings.qdrant.url is None:
        lock_folder(index_folder(settings)).release()  # in use? better said now than when the model is loaded
    listener = bind(settings.http.host, settings.http.port)
    metrics = Metrics()
    engine = Engine(settings, metrics, on_failure=lambda: setattr(server, "should_exit", True))
    config = uvicorn.Config(
        create_app(settings, engine, metrics, guard), log_config=None, access_log=False, timeout_graceful_shutdown=10
    )
    server = uvicorn.Server(config)
    if not guard.guarded:
        _LOG.info("there are no keys: whoever reaches this address may read and write every memory")
    _LOG.info("listening", extra={"url": f"http://{settings.http.host}:{listener.getsockname()[1]}"})
    run_until_told(server, listener)
    if engine.loading:
        _LOG.info("stopped while the model was being loaded")
        os._exit(0)
    if engine.failure is not None:
        raise engine.failure


def _make_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the folder {settings.data_dir} cannot be written ({error.strerror})"
        raise Refusal(f"{reason}; name another with --data-dir") from None
