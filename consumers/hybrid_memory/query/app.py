"""The app on port 8765: writes to the log, reads from the index."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from hybrid_memory.index.labelling import open_rules
from hybrid_memory.ingest.ports import Describe, Look, Shown
from hybrid_memory.ingest.router import make_router as make_write_router
from hybrid_memory.ingest.writer import KafkaWriter
from hybrid_memory.mem0.webhook import HideToken, make_webhook_router
from hybrid_memory.query.bodies import SOURCE_WORDS
from hybrid_memory.query.dead_letter_desk import DeadLetterDesk
from hybrid_memory.query.dead_letter_router import make_dead_letter_router
from hybrid_memory.query.edit_router import make_delete_if, make_edit_router
from hybrid_memory.query.editing import Editing
from hybrid_memory.query.engine import Engine
from hybrid_memory.query.log_end import LogEnd
from hybrid_memory.query.replay_router import make_replay_router
from hybrid_memory.query.router import make_router as make_read_router
from hybrid_memory.replay.gauge import ProgressGauge
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import (
    BodyLimit,
    EncodedSlashes,
    Guard,
    add_docs_page,
    harden,
    install_problems,
    make_guard,
)
from hybrid_memory.runtime.http.probes import MeasureRequests, make_probes
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.verify.router import make_index_router


def create_app(settings: Settings, engine: Engine, metrics: Metrics, guard: Guard | None = None) -> FastAPI:
    """The API over an engine, which starts and stops with the app. `guard` says who may; without one, the settings.

    Raises:
        Refusal: the settings cannot be followed.
    """
    guard = guard or make_guard(settings, settings.http.host)
    writer, gauge = KafkaWriter(settings), ProgressGauge(settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        gauge.start()
        yield
        gauge.stop()
        engine.stop()
        writer.close()

    app = FastAPI(
        title="Hybrid memory",
        version=version("hybrid-memory"),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # the page is our own, below
        redoc_url=None,
    )
    install_problems(app)
    add_docs_page(app)
    wait_s = settings.http.wait_ms / 1000
    editing = Editing(engine.searcher, writer, engine.applied, LogEnd(settings).positions, wait_s)
    app.include_router(
        make_write_router(
            writer,
            engine.applied,
            _describe(settings),
            wait_ms=settings.http.wait_ms,
            expect_stream=settings.expect_stream,
            guard=guard,
            look=_look(engine),
            delete_if=make_delete_if(editing),
        )
    )
    app.include_router(make_read_router(engine.searcher, settings, guard, engine.applied))
    app.include_router(make_edit_router(editing, guard))
    app.include_router(make_replay_router(settings, guard))
    app.include_router(make_index_router(engine.searcher, guard))
    app.include_router(make_dead_letter_router(DeadLetterDesk(settings), guard))
    if settings.mem0.webhook.in_serve:
        app.include_router(make_webhook_router(writer.append, settings.mem0.webhook))
    app.include_router(make_probes(engine.not_ready, metrics, guard))
    app.add_middleware(BodyLimit, max_bytes=settings.http.max_body_bytes)
    app.add_middleware(EncodedSlashes)
    harden(app, settings.http, guard)
    app.add_middleware(MeasureRequests, metrics=metrics)
    if settings.http.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.http.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Retry-After"],
        )
    app.add_middleware(HideToken)  # the outermost
    return app


def _describe(settings: Settings) -> Describe:
    rules = open_rules(settings)

    def describe(text: str) -> tuple[Sequence[str], str | None]:
        labels = rules.classify(text)
        return labels.classifiers, labels.topic

    return describe


def _look(engine: Engine) -> Look:
    async def look(user_id: str, memory_id: str) -> Shown | None:
        try:
            point = await engine.searcher().get(user_id, memory_id)
        except Unavailable:
            return None
        if point is None or point.provenance is None:
            return None
        return Shown(point.classifiers, point.topic, SOURCE_WORDS[point.provenance.source])

    return look
