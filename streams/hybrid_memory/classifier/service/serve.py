"""The wiring of `hm classify serve`."""

import logging
import os
import socket
from collections.abc import Callable

import uvicorn

from hybrid_memory.classifier import choose
from hybrid_memory.classifier.choose import Choice, rule_classifier
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.service.app import create_app
from hybrid_memory.classifier.service.engine import Engine
from hybrid_memory.classifier.service.gather import Gatherer
from hybrid_memory.runtime.http.guard import make_guard
from hybrid_memory.runtime.http.listen import bind, run_until_told
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)
_GRACE = 5.0
"""Seconds in which what waits is still classified when the service is told to stop."""


def serve(
    settings: Settings, open_classifier: Callable[[Settings], tuple[Classifier, Choice]] = choose.open_classifier
) -> None:
    """Serve until told to stop (SIGINT or SIGTERM).

    Raises:
        Refusal: it cannot serve as asked: the port is taken, strangers would reach it, or what is to classify cannot
            be had or used.
    """
    configure_logs(settings.log)
    # Where the environment names a classifier service, that is this one: it must not ask itself.
    settings = settings.model_copy(update={"use_classifier_service": False})
    rules = rule_classifier(settings)
    guard = make_guard(settings, settings.service.host)
    listener = bind(settings.service.host, settings.service.port)
    metrics = Metrics()
    gatherer = Gatherer(settings.service.gather_ms / 1000, settings.service.queue_texts, _observe(metrics))
    engine = Engine(
        lambda: open_classifier(settings), gatherer, on_failure=lambda: setattr(server, "should_exit", True)
    )
    app = create_app(settings, engine, gatherer, rules, metrics, guard)
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=10), gatherer)
    _LOG.info("listening", extra={"url": f"http://{settings.service.host}:{listener.getsockname()[1]}"})
    run_until_told(server, listener)
    if engine.failure is not None:
        raise engine.failure
    if engine.alive:
        _LOG.info("stopped while the classifier was being loaded, or in a batch that did not end")
        os._exit(0)


class _Server(uvicorn.Server):
    """Tells the line to come to its end as soon as no connection is taken any more."""

    def __init__(self, config: uvicorn.Config, gatherer: Gatherer) -> None:
        super().__init__(config)
        self._gatherer = gatherer

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gatherer.stop(_GRACE)
        await super().shutdown(sockets)


def _observe(metrics: Metrics) -> Callable[[int, float], None]:
    size, duration = metrics.batch_size.labels("classify"), metrics.stage_duration.labels("classify")

    def observe(texts: int, seconds: float) -> None:
        size.observe(texts)
        duration.observe(seconds)

    return observe
