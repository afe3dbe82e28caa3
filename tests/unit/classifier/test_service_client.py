"""The classifier service as a classifier: ours with its provenance, and the seed's, which says less."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybrid_memory.classifier.halving import classify_each
from hybrid_memory.classifier.port import Answer, Maker
from hybrid_memory.classifier.remote.service import ServiceClassifier, open_service
from hybrid_memory.local.ports import free_port
from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import load_settings
from tests.unit.classifier.service.doubles import MAKER, Echo
from tests.unit.classifier.serving import served, service_over

pytestmark = pytest.mark.usefixtures("clean_environment")
Open = Callable[[str], ServiceClassifier]


class Seed:
    """The seed's service: the fields of its API and no more; every error is a 500."""

    def __init__(self) -> None:
        self.reply: Response | None = None
        self.results: Callable[[str], Any] = lambda text: {"text": text, "classifiers": [text.upper(), "a  b", 7]}
        self.sizes: list[int] = []
        routes = [Route("/health", self._health), Route("/classify_batch", self._classify, methods=["POST"])]
        self.app = Starlette(routes=routes)

    async def _health(self, request: Request) -> Response:
        body = {"status": "ok", "model": "Qwen2.5-0.5B-Instruct", "device": "cpu", "dtype": "float32"}
        return self.reply or JSONResponse(body)

    async def _classify(self, request: Request) -> Response:
        texts = (await request.json())["texts"]
        self.sizes.append(len(texts))
        if any("poison" in text for text in texts):
            return JSONResponse({"detail": "boom"}, 500)
        return self.reply or JSONResponse({"results": [self.results(text) for text in texts]})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_(stack: ExitStack) -> Open:
    def open_(url: str) -> ServiceClassifier:
        classifier = open_service(load_settings(classifier_service_url=url, classifier={"timeout_seconds": 5}))
        stack.callback(classifier.close)
        return classifier

    return open_


def test_ours_says_who_made_them_and_how_many_it_likes(stack: ExitStack, open_: Open) -> None:
    classifier = open_(stack.enter_context(service_over(Echo(batch_size=48))))
    assert (classifier.maker, classifier.batch_size) == (MAKER, 48)
    assert classifier.classify(["Sushi, always"]) == [Answer(("sushi,",), MAKER)]


def test_what_ours_could_not_do_is_a_fault_again(stack: ExitStack, open_: Open) -> None:
    """So that the stream leaves it to the rules, and writes a dead letter."""
    classifier = open_(stack.enter_context(service_over(Echo())))
    odd, poison, good = classifier.classify(["odd sushi", "poison sushi", "good"])
    assert odd.fault == "this text is odd"
    assert poison.fault is not None
    assert "RuntimeError" in poison.fault
    assert (good.classifiers, good.fault) == (("good",), None)


def test_the_service_of_the_seed(stack: ExitStack, open_: Open) -> None:
    seed = Seed()
    classifier = open_(stack.enter_context(served(seed.app)) + "/")
    assert classifier.maker == Maker("llm", "Qwen2.5-0.5B-Instruct")
    assert classifier.batch_size <= 32, "at 1.5 s a text"
    [answer] = classifier.classify(["Tea"])
    assert answer.classifiers == ("tea", "a b"), "within the limits of classifiers, whatever it says"
    results = classify_each(["a", "poison", "b"], classifier)
    assert [isinstance(result, Failure) for result in results] == [False, True, False]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_or_away(stack: ExitStack, open_: Open, status: int) -> None:
    seed = Seed()
    classifier = open_(stack.enter_context(served(seed.app)))
    seed.reply = JSONResponse({}, status, {"Retry-After": "9"})
    with pytest.raises(Unavailable) as away:
        classifier.classify(["a"])
    assert away.value.retry_after == 9
    seed.reply = None
    assert classifier.classify(["a"])[0].fault is None


def test_too_large_a_batch_is_halved(stack: ExitStack, open_: Open) -> None:
    classifier = open_(stack.enter_context(service_over(Echo(batch_size=100), max_body_bytes=100_000)))
    results = classify_each(["w" * 16_000] * 10, classifier)
    assert all(isinstance(result, Answer) and result.fault is None for result in results)


def test_one_that_comes_later(open_: Open) -> None:
    classifier = open_(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="cannot be reached"):
        classifier.classify(["a"])


def test_nobody_named() -> None:
    with pytest.raises(Refusal, match="CLASSIFIER_SERVICE_URL"):
        open_service(load_settings())


@pytest.mark.parametrize("results", [lambda text: {"text": text}, lambda text: text])
def test_what_answers_otherwise_is_refused(stack: ExitStack, open_: Open, results: Callable[[str], Any]) -> None:
    seed = Seed()
    seed.results = results
    classifier = open_(stack.enter_context(served(seed.app)))
    with pytest.raises(Refusal, match="classifier service"):
        classifier.classify(["a"])


def test_what_is_none_at_all_is_refused(stack: ExitStack, open_: Open) -> None:
    url = stack.enter_context(served(Starlette()))
    with pytest.raises(Refusal, match="404"):
        open_(url)
