"""One contract, every classifier."""

import os
from collections.abc import Iterator

import pytest

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.remote.openai import open_server
from hybrid_memory.classifier.remote.service import open_service
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.runtime.settings import load_settings
from tests.unit.classifier.contract import ClassifierContract
from tests.unit.classifier.model_server import STYLES, ModelServer
from tests.unit.classifier.serving import served, service_over


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """No setting of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HM_")]:
            patch.delenv(name)
        yield


class TestRules(ClassifierContract):
    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls) -> Classifier:
        return RuleClassifier(default_rules())


class TestServer(ClassifierContract):
    @pytest.fixture(scope="class", params=STYLES)
    @classmethod
    def classifier(cls, request: pytest.FixtureRequest) -> Iterator[Classifier]:
        with served(ModelServer(request.param).app) as url:
            classifier = open_server(load_settings(classifier={"kind": url}))
            yield classifier
            classifier.close()


class TestServerInTaxonomyMode(ClassifierContract):
    @pytest.fixture(scope="class", params=STYLES)
    @classmethod
    def classifier(cls, request: pytest.FixtureRequest) -> Iterator[Classifier]:
        with served(ModelServer(request.param).app) as url:
            classifier = open_server(load_settings(classifier={"kind": url, "mode": "taxonomy"}))
            yield classifier
            classifier.close()


class TestService(ClassifierContract):
    @pytest.fixture(scope="class")
    @classmethod
    def classifier(cls) -> Iterator[Classifier]:
        with service_over(RuleClassifier(default_rules())) as url:
            classifier = open_service(load_settings(classifier_service_url=url))
            yield classifier
            classifier.close()
