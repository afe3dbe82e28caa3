"""The wiring of `hm mem0 webhook`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from hybrid_memory.mem0.webhook import PATH, HideToken, make_webhook_router
from hybrid_memory.runtime.http import install_problems
from hybrid_memory.runtime.http.headers import SecurityHeaders
from hybrid_memory.runtime.http.listen import bind, run_until_told
from hybrid_memory.runtime.http.patience import TimeLimit
from hybrid_memory.runtime.http.probes import MeasureRequests, make_probes
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.mem0 import MEM0_HINTS

_LOG = logging.getLogger(__name__)
_CONFIRM_SECONDS = 5.0
"""Who calls does not wait for ever; what was not confirmed by then, the feed and the reconciliation notice too."""
_REQUEST_SECONDS = 15.0


def serve(settings: Settings) -> None:
    """Take webhooks until told to stop (SIGINT or SIGTERM).

    Raises:
        Refusal: no Kafka is named, there is no token, or the port is taken.
    """
    configure_logs(settings.log)
    _ = settings.bootstrap_servers
    webhook = settings.mem0.webhook
    with Publisher(settings, delivery_timeout=_CONFIRM_SECONDS) as publisher:
        app = make_app(settings, publisher, Metrics())
        listener = bind(webhook.host, webhook.port)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=10))
        where = f"http://{webhook.host}:{listener.getsockname()[1]}{PATH}/<token>"
        _LOG.info("listening", extra={"url": where})
        run_until_told(server, listener)


def make_app(settings: Settings, publisher: Publisher, metrics: Metrics) -> FastAPI:
    """The receiver as an app of its own.

    Raises:
        Refusal: there is no token.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        publisher.prepare(MEM0_HINTS)  # Kafka may still be starting: nobody waits for it here
        yield

    app = FastAPI(title="Mem0 webhooks", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    install_problems(app)
    app.include_router(make_webhook_router(publisher.append, settings.mem0.webhook))
    app.include_router(make_probes(lambda: _not_ready(publisher), metrics))
    app.add_middleware(TimeLimit, seconds=_REQUEST_SECONDS)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(MeasureRequests, metrics=metrics)
    app.add_middleware(HideToken)
    return app


def _not_ready(publisher: Publisher) -> str | None:
    known = publisher.prepare(MEM0_HINTS)
    if not known.done():
        return "Kafka is asked for the topic of hints"
    error = known.exception()
    return None if error is None else str(error)
