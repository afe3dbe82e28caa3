"""Qwen under the contract of every classifier, and its exact answers through port 8766."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.qwen.classifier import open_qwen
from hybrid_memory.classifier.remote.service import open_service
from hybrid_memory.runtime.settings import ClassifierSettings, load_settings
from tests.tiny_qwen import ANSWERS
from tests.unit.classifier.contract import ClassifierContract
from tests.unit.classifier.serving import service_over

pytestmark = pytest.mark.timeout(180)


class TestQwen(ClassifierContract):
    texts = tuple(list(ANSWERS)[:4])

    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls, tiny_qwen: Path) -> Classifier:
        return open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu"), default_taxonomy())


class TestQwenByTaxonomy(ClassifierContract):
    texts = tuple(list(ANSWERS)[:4])

    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls, tiny_qwen: Path) -> Classifier:
        settings = ClassifierSettings(model=str(tiny_qwen), device="cpu", mode="taxonomy")
        return open_qwen(settings, default_taxonomy())


@pytest.fixture(scope="module")
def url(tiny_qwen: Path) -> Iterator[str]:
    qwen = open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu"), default_taxonomy())
    with service_over(qwen) as url:
        yield url


def test_one_by_one_from_many_callers(url: str) -> None:
    """Gathered into batches as chance will have it, each gets its own answer."""
    texts = random.Random(7).choices(list(ANSWERS), k=96)
    with httpx.Client(base_url=url, timeout=60) as api, ThreadPoolExecutor(16) as callers:
        replies = list(callers.map(lambda text: api.post("/classify", json={"text": text}).json(), texts))
    assert [(reply["text"], tuple(reply["classifiers"])) for reply in replies] == [(t, ANSWERS[t]) for t in texts]
    assert {reply["classifier_source"] for reply in replies} == {"llm"}


def test_a_batch_through_the_client_of_the_service(url: str) -> None:
    texts = random.Random(8).choices(list(ANSWERS), k=200)
    classifier = open_service(load_settings(classifier_service_url=url))
    assert [answer.classifiers for answer in classifier.classify(texts)] == [ANSWERS[text] for text in texts]
    assert classifier.maker.prompt == "v1"
    classifier.close()


def test_health_says_what_it_runs_on(url: str, tiny_qwen: Path) -> None:
    body = httpx.get(f"{url}/health", timeout=20).json()
    assert (body["model"], body["device"], body["dtype"]) == (tiny_qwen.name, "cpu", "float32")
