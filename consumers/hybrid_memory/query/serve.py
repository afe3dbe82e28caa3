"""The wiring of `hm serve`."""

import logging
import os
import signal
import socket

import uvicorn

from hybrid_memory.index.edge_folder import lock_folder
from hybrid_memory.index.reset import index_folder
from hybrid_memory.query.app import create_app
from hybrid_memory.query.engine import Engine
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGINT or SIGTERM).

    Raises:
        Refusal: it cannot serve as asked: no Kafka is named, the port is taken, the folder is not ours to write,
            or the index is not a view of this log.
    """
    configure_logs(settings.log)
    _ = settings.bootstrap_servers
    _make_folder(settings)
    lock_folder(index_folder(settings)).release()  # in use? better said now than when the model is loaded
    listener = _bind(settings.http.host, settings.http.port)
    metrics = Metrics()
    engine = Engine(settings, metrics, on_failure=lambda: setattr(server, "should_exit", True))
    config = uvicorn.Config(
        create_app(settings, engine, metrics), log_config=None, access_log=False, timeout_graceful_shutdown=10
    )
    server = uvicorn.Server(config)
    # uvicorn stops at the first signal, and then raises it again: it must not find the handler that kills.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: setattr(server, "should_exit", True))
    _LOG.info("listening", extra={"url": f"http://{settings.http.host}:{listener.getsockname()[1]}"})
    server.run(sockets=[listener])
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


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it on, a reply takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = f"port {port} of {host} cannot be listened on ({error.strerror})"
        raise Refusal(f"{reason}; name another with --port") from None
    return listener
