"""`hm classify serve` as a process: it starts, refuses, stops, and loses no request on the way."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.classifying import KNOWN, RULES, start_service
from tests.e2e.problems import check_problem
from tests.e2e.programs import environment, run, until
from tests.e2e.test_refusals import check_refusal, taken

__all__ = ["taken"]  # a fixture

SIGNALS = pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])


@SIGNALS
def test_it_starts_and_stops(tmp_path: Path, sign: signal.Signals) -> None:
    service = start_service(RULES, tmp_path).until_ready()
    assert service.http.get("/health").json()["model"] == "rules"
    assert service.http.post("/classify", json={"text": "I love sushi"}).json()["classifiers"]
    assert service.program.stop(sign, 10) == 0
    assert "Traceback" not in service.program.said
    service.http.close()


def test_it_does_not_ask_itself(tmp_path: Path) -> None:
    """The seed's two variables, exported in the terminal in which the service is started, are not for it."""
    names = {"USE_CLASSIFIER_SERVICE": "true", "CLASSIFIER_SERVICE_URL": "http://127.0.0.1:9"}
    service = start_service(RULES, tmp_path, **names).until_ready()
    assert service.http.get("/health").json()["model"] == "rules"
    assert service.stop() == 0


@SIGNALS
def test_told_to_stop_it_answers_what_it_has_begun(tmp_path: Path, sign: signal.Signals) -> None:
    service = start_service(KNOWN, tmp_path, HM_TEST_TAKES="0.5").until_ready()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(service.http.post, "/classify_batch", json={"texts": ["w"] * 20})
        until(lambda: "hm_classify_waiting_texts 12.0" in service.http.get("/metrics").text, 10)
        assert service.program.stop(sign, 10) == 0
        reply = asked.result()
    assert reply.status_code == 200
    assert len(reply.json()["results"]) == 20
    assert "Traceback" not in service.program.said
    service.http.close()


def test_what_it_cannot_do_in_time_it_gives_back(tmp_path: Path) -> None:
    """A line of minutes is not worked off: who waits is told to go elsewhere, and the batch that runs is ended."""
    service = start_service(KNOWN, tmp_path, HM_TEST_TAKES="2").until_ready()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(service.http.post, "/classify_batch", json={"texts": ["w"] * 80})
        until(lambda: "hm_classify_waiting_texts 72.0" in service.http.get("/metrics").text, 10)
        assert service.program.stop(deadline=15) == 0
        reply = asked.result()
    check_problem(reply, 503)
    assert "retry-after" in reply.headers
    service.http.close()


def test_told_to_stop_while_the_model_is_loaded(tmp_path: Path) -> None:
    service = start_service(KNOWN, tmp_path, HM_TEST_LOADS="60")
    until(lambda: service.answers("/livez"), 20)
    check_problem(service.http.get("/readyz"), 503)
    with pytest.raises(httpx.HTTPStatusError):
        service.http.get("/health").raise_for_status()
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 5


def test_the_port_is_taken(taken: int) -> None:
    check_refusal(run(*RULES[3:], "--port", str(taken), env=environment()), str(taken), "port", "--port")


def test_a_taxonomy_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("version: v1\nlabels: []\n")
    done = run(*RULES[3:], "--taxonomy", str(tmp_path / "labels.yaml"), env=environment(HM_SERVICE__PORT="0"))
    check_refusal(done, "labels.yaml")
