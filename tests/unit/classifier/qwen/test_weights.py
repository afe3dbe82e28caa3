"""Where weights come from: a folder, the cache, a hub; and what is said, and how soon, where they cannot be had."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_memory.classifier.choose import choose, open_classifier
from hybrid_memory.classifier.qwen.weights import digest, fetch_weights, find_weights
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import ClassifierSettings, Settings
from tests.unit.classifier.qwen.hub_server import COMMIT, FILES, MODEL, hub

OF_HUB = ClassifierSettings(model=MODEL)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has fetched nothing yet."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


@pytest.fixture
def address() -> Iterator[str]:
    with hub() as found:
        yield found


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def model_folder(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_folder(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    place = find_weights(ClassifierSettings(model=str(folder)))
    assert (place.kind, place.folder) == ("folder", folder)
    found = fetch_weights(ClassifierSettings(model=str(folder)))
    assert (found.folder, found.name, found.revision) == (folder, "mine", digest(folder))


def test_a_digest_tells_weights_apart_and_knows_no_time(tmp_path: Path) -> None:
    big = bytes(range(256)) * 8192
    changed = big[:1_000_000] + bytes(70_000) + big[1_070_000:]
    one, same = model_folder(tmp_path / "one", big), model_folder(tmp_path / "same", big)
    (same / "model.safetensors").touch()
    assert digest(one) == digest(same)
    assert digest(model_folder(tmp_path / "other", changed)) != digest(one)
    assert digest(model_folder(tmp_path / "longer", big + b"x")) != digest(one)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_something(tmp_path: Path, name: str) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / name).unlink()
    assert "lacks" in find_weights(ClassifierSettings(model=str(folder))).why
    with pytest.raises(Refusal, match=r"no weights for the model .*mine: the folder .* lacks"):
        fetch_weights(ClassifierSettings(model=str(folder)))


def test_the_hub_then_the_cache(address: str, nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    assert find_weights(OF_HUB, address).kind == "hub"
    with caplog.at_level(logging.INFO):
        found = fetch_weights(OF_HUB, address)
    assert (found.name, found.revision, found.folder.name) == (MODEL, COMMIT, COMMIT)
    names = {str(path.relative_to(found.folder)) for path in found.folder.rglob("*") if path.is_file()}
    assert names == FILES.keys() - {"onnx/model.onnx"}
    assert f"downloading the model {MODEL}" in caplog.text
    assert find_weights(OF_HUB, nobody).kind == "cache"
    assert fetch_weights(OF_HUB, nobody) == found


def test_half_a_download_is_none(address: str, nobody: str) -> None:
    found = fetch_weights(OF_HUB, address)
    (found.folder / "model.safetensors").unlink()
    assert find_weights(OF_HUB, nobody).kind == "nowhere"
    assert fetch_weights(OF_HUB, address) == found
    assert (found.folder / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "someone/else"}, "the model hub refuses it with status 404"),
        ({"revision": "older"}, "the model hub has no revision older of it"),
        ({"model": "not a name!"}, "it is no folder, and no name that a model hub could have"),
        ({"model": "./not-there"}, "there is no folder not-there"),
        ({"model": "/not/there"}, "there is no folder /not/there"),
    ],
)
def test_what_the_hub_has_not(address: str, change: dict[str, str], says: str) -> None:
    settings = OF_HUB.model_copy(update=change)
    place = find_weights(settings, address)
    assert (place.kind, place.why) == ("nowhere", says)
    with pytest.raises(Refusal, match=r"set HM_CLASSIFIER__MODEL to a folder that has them, or go without"):
        fetch_weights(settings, address)


def test_no_hub_is_known_at_once(nobody: str) -> None:
    start = time.monotonic()
    assert find_weights(OF_HUB, nobody).why == "it is not on this machine, and the model hub does not answer"
    assert time.monotonic() - start < 5


def test_a_hub_that_says_nothing_is_left_soon() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        place = find_weights(OF_HUB, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < 10
    assert place.kind == "nowhere"


def test_offline_asks_nobody(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in find_weights(OF_HUB, address).why


def test_choosing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = str(model_folder(tmp_path / "mine"))
    for kind, model, service, expected, says in (
        ("rules", folder, False, "rules", "asked for"),
        ("qwen", folder, False, "qwen", "its weights are in "),
        ("auto", folder, False, "qwen", "its weights are in "),
        ("auto", MODEL, False, "rules", f"no weights for the model {MODEL}: it is not in the cache"),
        ("auto", folder, True, "service", "USE_CLASSIFIER_SERVICE"),
        ("rules", folder, True, "rules", "asked for"),
        ("qwen", folder, True, "qwen", "its weights are in "),
        ("http://127.0.0.1:9/v1", folder, False, "server", "http://127.0.0.1:9/v1 was asked for"),
    ):
        wanted = ClassifierSettings(kind=kind, model=model)
        choice = choose(
            Settings(classifier=wanted, use_classifier_service=service, classifier_service_url="http://127.0.0.1:1")
        )
        assert choice.kind == expected
        assert says in choice.why
    with pytest.raises(Refusal, match=f"no weights for the model {MODEL}"):
        choose(Settings(classifier=ClassifierSettings(kind="qwen", model=MODEL)))


def test_the_rules_open_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    classifier, choice = open_classifier(Settings(classifier=ClassifierSettings(model=MODEL)))
    assert classifier.maker.source == "rules"
    assert "HF_HUB_OFFLINE" in choice.why


def test_a_wrong_taxonomy_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("labels: []")
    with pytest.raises(Refusal, match=r"taxonomy .*wrong\.yaml: "):
        open_classifier(Settings(classifier=ClassifierSettings(kind="rules", taxonomy=wrong)))
