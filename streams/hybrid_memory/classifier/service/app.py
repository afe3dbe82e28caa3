"""The app on port 8766: texts in, classifiers out."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from prometheus_client import Gauge

from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.classifier.service.bodies import (
    Classified,
    ClassifiedMany,
    ClassifyBatchRequest,
    ClassifyRequest,
    HealthReply,
    Item,
)
from hybrid_memory.classifier.service.engine import Engine
from hybrid_memory.classifier.service.gather import Full, Gatherer
from hybrid_memory.classifier.service.line import Result
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import BodyLimit, FieldProblem, Problem, json_body, problem_responses, read_json
from hybrid_memory.runtime.http.docs_page import add_docs_page
from hybrid_memory.runtime.http.guard import Guard
from hybrid_memory.runtime.http.hardening import harden
from hybrid_memory.runtime.http.probes import MeasureRequests, make_probes
from hybrid_memory.runtime.http.problems import install_problems
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings

_ERRORS = (400, 413, 415, 422, 429, 503)


def create_app(
    settings: Settings, engine: Engine, gatherer: Gatherer, rules: Classifier, metrics: Metrics, guard: Guard
) -> FastAPI:
    """The API over an engine, which starts and stops with the app. `rules` do what the classifier cannot."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        yield
        await asyncio.to_thread(engine.stop)

    app = FastAPI(
        title="Classifier service",
        version=version("hybrid-memory"),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # the page is our own, below
        redoc_url=None,
    )
    install_problems(app)
    add_docs_page(app)
    _add_routes(app, engine, gatherer, rules, guard)
    app.include_router(make_probes(engine.not_ready, metrics, guard))
    app.add_middleware(BodyLimit, max_bytes=settings.service.max_body_bytes)
    # A long batch takes minutes on a processor; who hangs up is not worked for.
    harden(app, settings.http, guard, limit_time=False)
    app.add_middleware(MeasureRequests, metrics=metrics)
    waiting = Gauge("hm_classify_waiting_texts", "Texts that wait for the classifier", registry=metrics.registry)
    waiting.set_function(lambda: gatherer.waiting)
    return app


def _add_routes(app: FastAPI, engine: Engine, gatherer: Gatherer, rules: Classifier, guard: Guard) -> None:
    async def results_of(texts: Sequence[str], request: Request) -> list[Result]:
        _ready(engine)
        try:
            return await _unless_gone(gatherer, texts, request)
        except Full as error:
            headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
            raise Problem(429, "too many texts are waiting; try again later", headers=headers) from None
        except Unavailable as error:
            raise Problem.away("the classifier is away for a while", error.retry_after) from error

    def item(text: str, result: Result) -> Item:
        if isinstance(result, Failure):
            return Item.of(text, _by_rules(rules, text), error=_said(result))
        if result.fault is not None:
            return Item.of(text, _by_rules(rules, text), result.fault)
        return Item.of(text, result)

    @app.post(
        "/classify",
        openapi_extra=json_body(ClassifyRequest),
        responses=guard.responses(*_ERRORS),
        dependencies=[guard.needs(Scope.READ)],
        response_model_exclude_none=True,
    )
    async def classify(request: Request) -> Classified:
        """The classifiers of a text. Texts that arrive together are classified together."""
        text = (await read_json(request, ClassifyRequest)).text
        [result] = await results_of([text], request)
        if isinstance(result, Failure):
            raise Problem.invalid([FieldProblem("text", _said(result))])
        return Classified.model_validate(item(text, result).model_dump(exclude={"error"}))

    @app.post(
        "/classify_batch",
        openapi_extra=json_body(ClassifyBatchRequest),
        responses=guard.responses(*_ERRORS),
        dependencies=[guard.needs(Scope.READ)],
        response_model_exclude_none=True,
    )
    async def classify_batch(request: Request) -> ClassifiedMany:
        """The classifiers of up to 1,000 texts, in their order; a text that fails says so by itself."""
        texts = (await read_json(request, ClassifyBatchRequest)).texts
        results = await results_of(texts, request)
        return ClassifiedMany(results=[item(text, result) for text, result in zip(texts, results, strict=True)])

    @app.get("/health", tags=["operations"], responses=problem_responses(503))
    async def health() -> HealthReply:
        """Who classifies, and on what."""
        return HealthReply.of(_ready(engine))


def _ready(engine: Engine) -> Classifier:
    try:
        return engine.classifier()
    except Unavailable as error:
        raise Problem.away(str(error), error.retry_after) from None


async def _unless_gone(gatherer: Gatherer, texts: Sequence[str], request: Request) -> list[Result]:
    """The results; when the caller hangs up, what was not begun for it is dropped."""
    work = asyncio.ensure_future(gatherer.classify(texts))
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Problem(400, "the caller has gone")
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _by_rules(rules: Classifier, text: str) -> Answer:
    [answer] = rules.classify([text])
    return answer


def _said(failure: Failure) -> str:
    # The exception's own words may hold the text, or our insides.
    return f"the classifier failed on this text ({failure.name})"
