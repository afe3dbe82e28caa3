"""Keys on port 8766."""

import contextlib
from pathlib import Path

import httpx
import pytest

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.remote.service import open_service
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.service.serve import serve
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings, load_settings
from tests.unit.classifier.serving import service_over


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """A file with one key that may read, and that key."""
    file, new = tmp_path / "keys.yaml", make_key("stream", [Scope.READ], "all")
    change_keys(file, lambda entries: (*entries, new.entry))
    return file, new.key


def test_without_a_key_nobody_is_served(keys: tuple[Path, str]) -> None:
    file, key = keys
    with service_over(RuleClassifier(default_rules()), keys=file) as url, httpx.Client(base_url=url) as http:
        refused = http.post("/classify", json={"text": "I like tea"})
        assert (refused.status_code, refused.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert http.post("/classify_batch", json={"texts": ["tea"]}).status_code == 401
        assert http.post("/classify?x=1", json={"text": "tea"}, headers={"X-API-Key": key}).status_code == 422
        assert http.get("/livez").status_code == 200
        served = http.post("/classify", json={"text": "I like tea"}, headers={"X-API-Key": key})
        assert served.status_code == 200
        assert served.headers["x-content-type-options"] == "nosniff"


def test_the_streams_client_sends_its_key(keys: tuple[Path, str], clean_environment: pytest.MonkeyPatch) -> None:
    file, key = keys
    with service_over(RuleClassifier(default_rules()), keys=file) as url:
        with contextlib.closing(open_service(_settings(url, key))) as classifier:
            assert classifier.classify(["I like tea"])[0].classifiers == ("drink preference",)
        with (
            contextlib.closing(open_service(_settings(url, None))) as stranger,
            pytest.raises(Refusal, match="does not let us in"),
        ):
            stranger.classify(["I like tea"])


def test_another_machines_address_needs_keys(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> None:
    settings = load_settings(data_dir=tmp_path, service={"host": "0.0.0.0", "port": 0}, classifier={"kind": "rules"})
    with pytest.raises(Refusal, match=r"listening on 0\.0\.0\.0 would let anybody"):
        serve(settings)


def _settings(url: str, key: str | None) -> Settings:
    return load_settings(use_classifier_service=True, classifier_service_url=url, classifier={"api_key": key})
