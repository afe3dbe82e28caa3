"""The seed's three patterns of use (docs/patterns.md), each with real processes and a real Kafka."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from hybrid_memory.classifier import default_rules
from hybrid_memory.local.ports import free_port
from tests.e2e.classifying import KNOWN, RULES, HttpProgram, start_service, start_stream
from tests.e2e.conftest import made_topics
from tests.e2e.programs import Service, until
from tests.e2e.test_seed_api import add, search

TEXTS = ("I love spicy Thai food", "My sister lives in Oslo", "I saw the Matrix movie", "nothing that rules know")


@pytest.fixture(scope="module")
def prefix(kafka: str) -> str:
    """A log of these tests' own."""
    prefix = f"pat{uuid.uuid4().hex[:8]}."
    made_topics(kafka, prefix)
    return prefix


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProgram]:
    """A classifier service that calls itself a model."""
    service = start_service(KNOWN, tmp_path_factory.mktemp("model")).until_ready()
    yield service
    assert service.stop() == 0
    assert "Traceback" not in service.program.said


@pytest.fixture(scope="module")
def memories(
    kafka: str, prefix: str, model: HttpProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """An `hm serve` with the seed's own variables set."""
    names = {"USE_CLASSIFIER_SERVICE": "true", "CLASSIFIER_SERVICE_URL": model.url, "HM_EXPECT_STREAM": "true"}
    service = Service.start(kafka, prefix, tmp_path_factory.mktemp("data"), **names)
    try:
        yield service.until_ready().http
    finally:
        assert service.stop() == 0


def found(api: httpx.Client, user: str, text: str) -> dict[str, Any]:
    """The memory with this text, as a search shows it."""
    [memory] = [memory for memory in search(api, user, text) if memory["text"] == text]
    return memory


def test_1_heuristics_only(api: httpx.Client, user: str) -> None:
    """No classifiers are given, no service is there: rules make them at once, and nothing better is promised."""
    health = api.get("/health").json()
    assert (health["classifier_service"], health["classifier_url"]) == ("disabled", None)
    for text in TEXTS:
        reply = add(api, user, text)
        by_words = default_rules().classify(text)
        assert tuple(reply["classifiers"][:1]) == by_words.classifiers[:1]
        assert reply["topic"] == by_words.topic
        assert (reply["classifier_source"], reply["async_improvement"]) == ("heuristic", False)
        shown = found(api, user, text)
        assert [shown[name] for name in ("classifiers", "topic")] == [reply[name] for name in ("classifiers", "topic")]
        assert shown["state"] == "final"


def test_2_the_classifier_service_on(memories: httpx.Client, model: HttpProgram, user: str) -> None:
    """The insert is as fast as ever, with the rules' classifiers; better ones are promised."""
    health = memories.get("/health").json()
    assert (health["classifier_service"], health["classifier_url"]) == ("connected", model.url)
    reply = add(memories, user, "Sushi on Fridays")
    assert (reply["classifier_source"], reply["async_improvement"]) == ("heuristic", True)
    assert found(memories, user, "Sushi on Fridays")["state"] == "provisional"


def test_2_the_stream_asks_the_service(
    kafka: str, prefix: str, memories: httpx.Client, model: HttpProgram, user: str, tmp_path: Path
) -> None:
    """`hm classify stream` with the same two variables: the memory is upgraded in place, and says by whom."""
    add(memories, user, "Ramen near the station")
    names = {"USE_CLASSIFIER_SERVICE": "true", "CLASSIFIER_SERVICE_URL": model.url}
    stream = start_stream(kafka, prefix, tmp_path, **names)
    try:
        until(
            lambda: found(memories, user, "Ramen near the station")["state"] == "final",
            60,
            lambda: stream.program.said[-2000:],
        )
    finally:
        assert stream.stop() == 0
    shown = found(memories, user, "Ramen near the station")
    assert (shown["classifiers"], shown["classifier_source"]) == (["ramen"], "llm")
    full = memories.get(f"/v1/users/{user}/memories/{shown['memory_id']}").json()
    made = full["provenance"]
    assert (made["source"], made["model"], made["revision"], made["prompt"]) == ("llm", "org/Echo-1", "abc", "p1")


def test_2_the_service_is_away(kafka: str, prefix: str, tmp_path: Path, user: str) -> None:
    """Inserts and searches need nothing of it; `/health` says that it is not there."""
    names = {"USE_CLASSIFIER_SERVICE": "true", "CLASSIFIER_SERVICE_URL": f"http://127.0.0.1:{free_port()}"}
    service = Service.start(kafka, prefix, tmp_path / "data", **names)
    try:
        service.until_ready()
        assert service.http.get("/health").json()["classifier_service"] == "unavailable"
        assert add(service.http, user, "I love sushi")["searchable"] is True
        assert found(service.http, user, "I love sushi")["classifiers"]
    finally:
        assert service.stop() == 0


@pytest.mark.parametrize("command", [RULES, KNOWN], ids=["rules", "model"])
def test_3_classified_beforehand(memories: httpx.Client, user: str, tmp_path: Path, command: list[str]) -> None:
    """`/classify_batch`, then `/add_memories_batch` with what it said: kept as provided, and never classified again."""
    with ExitStack() as stack:
        service = start_service(command, tmp_path).until_ready()
        stack.callback(service.stop)
        reply = service.http.post("/classify_batch", json={"texts": list(TEXTS)})
        assert reply.status_code == 200
        results = reply.json()["results"]
        assert [result["text"] for result in results] == list(TEXTS)
        batch = [
            {"user_id": user, "text": text, "classifiers": result["classifiers"]}
            for text, result in zip(TEXTS, results, strict=True)
        ]
        reply = memories.post("/add_memories_batch", json={"memories": batch})
        assert (reply.status_code, reply.json()["inserted"]) == (200, len(TEXTS))
        for text, result in zip(TEXTS, results, strict=True):
            shown = found(memories, user, text)
            if result["classifiers"]:
                assert shown["classifiers"] == result["classifiers"]
                assert (shown["classifier_source"], shown["state"]) == ("provided", "final")
            else:  # no classifiers are the same as none given: they are left to the rules and the stream
                assert (shown["classifier_source"], shown["state"]) == ("heuristic", "provisional")
        one = service.http.post("/classify", json={"text": TEXTS[0]}).json()
        assert one["classifiers"] == results[0]["classifiers"]
        assert service.program.stop() == 0
        assert "Traceback" not in service.program.said
