"""The tiny model says exactly what it was taught, on every path: padding, positions, cache and reading proven by meaning."""

import random
from pathlib import Path

import pytest

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.classifier.port import Answer
from hybrid_memory.classifier.qwen.classifier import QwenClassifier, open_qwen
from hybrid_memory.runtime.settings import ClassifierSettings
from tests.tiny_qwen import ANSWERS, TAXONOMY_ANSWERS

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def qwen(tiny_qwen: Path) -> QwenClassifier:
    return open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu"), default_taxonomy())


@pytest.fixture(scope="module")
def by_taxonomy(tiny_qwen: Path) -> QwenClassifier:
    return open_qwen(ClassifierSettings(model=str(tiny_qwen), device="cpu", mode="taxonomy"), default_taxonomy())


def said(answers: list[Answer]) -> list[tuple[str, ...]]:
    assert [answer.fault for answer in answers if answer.fault] == []
    return [answer.classifiers for answer in answers]


@pytest.mark.parametrize("text", ANSWERS)
def test_alone(qwen: QwenClassifier, text: str) -> None:
    assert said(qwen.classify([text])) == [ANSWERS[text]]


@pytest.mark.parametrize("text", TAXONOMY_ANSWERS)
def test_alone_by_taxonomy(by_taxonomy: QwenClassifier, text: str) -> None:
    assert said(by_taxonomy.classify([text])) == [TAXONOMY_ANSWERS[text]]


@pytest.mark.parametrize("seed", range(5))
def test_in_shuffled_batches_of_mixed_lengths(qwen: QwenClassifier, by_taxonomy: QwenClassifier, seed: int) -> None:
    for classifier, answers in ((qwen, ANSWERS), (by_taxonomy, TAXONOMY_ANSWERS)):
        texts = random.Random(seed).choices(list(answers), k=64)
        assert said(classifier.classify(texts)) == [answers[text] for text in texts]
