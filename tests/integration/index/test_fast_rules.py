"""The rules that everybody falls back on are the sink's."""

import logging
from pathlib import Path

import pytest

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.choose import rule_classifier
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.fast_rules import FastRules
from hybrid_memory.index.labelling import open_fast_classifier
from hybrid_memory.runtime.settings import Settings, load_settings
from tests.unit.classifier.contract import PLAIN, ClassifierContract

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("data"), embedder={"dtype": "float32"})


@pytest.fixture(scope="module")
def rules(settings: Settings) -> Classifier:
    return rule_classifier(settings)


class TestFastRules(ClassifierContract):
    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls, rules: Classifier) -> Classifier:
        return rules


def test_they_say_what_the_sink_says(settings: Settings, rules: Classifier) -> None:
    embedder = make_embedder(settings)
    sink = open_fast_classifier(settings, embedder)
    texts = [*PLAIN, "The old tomcat sits on my lap and purrs"]
    vectors = embedder.embed(texts)
    said = [sink.classify(text, vector.tolist()).classifiers for text, vector in zip(texts, vectors, strict=True)]
    assert [answer.classifiers for answer in rules.classify(texts)] == said
    assert "pets" in said[-1]
    assert default_rules().classify(texts[-1]).classifiers == ()
    assert rules.maker.taxonomy == sink.version


def test_a_model_of_the_process_keeps_its_threads(settings: Settings) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        FastRules(settings).classify(["I love sushi"])
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_without_an_embedder_they_are_the_key_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = FastRules(load_settings(data_dir=tmp_path, embedder={"model": str(tmp_path / "none")}))
    with caplog.at_level(logging.WARNING):
        said = [answer.classifiers for text in PLAIN for answer in rules.classify([text])]
    assert said == [default_rules().classify(text).classifiers for text in PLAIN]
    assert [record.message.partition(":")[0] for record in caplog.records] == ["the rules go by key words alone"]
