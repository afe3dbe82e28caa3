"""Port 8766 over a real socket: the seed's two calls field for field, and what happens when something is wrong."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.runtime.errors import Unavailable
from tests.e2e.problems import check_problem
from tests.unit.classifier.service.doubles import Echo
from tests.unit.classifier.serving import service_over

JSON = {"content-type": "application/json"}
MADE_BY = {"source": "llm", "model": "org/Echo-1", "revision": "abc", "prompt": "p1"}


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.gate.set()


@pytest.fixture
def api(echo: Echo) -> Iterator[httpx.Client]:
    with service_over(echo, queue_texts=20) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def waiting(api: httpx.Client) -> float:
    [line] = [line for line in api.get("/metrics").text.splitlines() if line.startswith("hm_classify_waiting_texts ")]
    return float(line.split()[1])


def test_classify(api: httpx.Client) -> None:
    reply = api.post("/classify", json={"text": "Sushi is what I love"})
    assert reply.status_code == 200
    assert reply.json() == {
        "text": "Sushi is what I love",
        "classifiers": ["sushi"],
        "classifier_source": "llm",
        "made_by": MADE_BY,
    }


def test_classify_batch(api: httpx.Client) -> None:
    texts = [f"word{number} of many" for number in range(30)]
    reply = api.post("/classify_batch", json={"texts": texts})
    assert reply.status_code == 200
    results = reply.json()["results"]
    assert [result["text"] for result in results] == texts
    assert [result["classifiers"] for result in results] == [[f"word{number}"] for number in range(30)]
    assert api.post("/classify_batch", json={"texts": []}).json() == {"results": []}


def test_a_text_comes_back_as_it_was_sent(api: httpx.Client) -> None:
    for text in ("  Sushi \n", "Käse 🧀 und 東京", "a\u0000b", "' OR 1=1 --"):
        assert api.post("/classify", json={"text": text}).json()["text"] == text


def test_health(api: httpx.Client, echo: Echo) -> None:
    body = api.get("/health").json()
    assert (body["status"], body["model"], body["device"], body["dtype"]) == ("ok", "Echo-1", "cpu", "float32")
    assert body["made_by"] == MADE_BY | {"taxonomy": None}
    echo.device, echo.dtype = "cuda", "bfloat16"  # type: ignore[attr-defined]
    assert (api.get("/health").json()["device"], api.get("/health").json()["dtype"]) == ("cuda", "bfloat16")


def test_one_that_the_model_cannot_do_is_done_by_the_rules_and_says_so(api: httpx.Client) -> None:
    body = api.post("/classify", json={"text": "odd sushi recipe"}).json()
    assert (body["classifier_source"], body["fault"]) == ("heuristic", "this text is odd")
    assert body["classifiers"]
    assert body["made_by"]["source"] == "rules"


def test_one_on_which_the_model_raises(api: httpx.Client) -> None:
    """Alone it is refused by name; in a batch it says so by itself, the rules have done it, and the others are well."""
    reply = api.post("/classify", json={"text": "poison sushi"})
    check_problem(reply, 422, "text")
    assert "s3cret" not in reply.text
    reply = api.post("/classify_batch", json={"texts": ["a", "poison sushi", "b"]})
    assert reply.status_code == 200
    assert "s3cret" not in reply.text
    results = reply.json()["results"]
    assert ["error" in result for result in results] == [False, True, False]
    assert [result["classifier_source"] for result in results] == ["llm", "heuristic", "llm"]
    assert "RuntimeError" in results[1]["error"]


def test_single_requests_of_many_clients_are_gathered(api: httpx.Client, echo: Echo) -> None:
    def ask(number: int) -> list[str]:
        labels: list[str] = api.post("/classify", json={"text": f"w{number}"}).json()["classifiers"]
        return labels

    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(ask, range(96))) == [[f"w{number}"] for number in range(96)]
    assert max(len(batch) for batch in echo.batches) > 1
    assert len(echo.batches) < 96


def test_too_much_is_told_to_come_again(api: httpx.Client, echo: Echo) -> None:
    echo.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        long = threads.submit(api.post, "/classify_batch", json={"texts": ["w"] * 28})
        until(lambda: waiting(api) == 20)
        reply = api.post("/classify", json={"text": "one more"})
        check_problem(reply, 429)
        assert int(reply.headers["retry-after"]) >= 1
        echo.gate.set()
        assert long.result().status_code == 200


def test_a_caller_that_hangs_up_frees_its_place(api: httpx.Client, echo: Echo) -> None:
    echo.gate.clear()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{api.base_url}/classify_batch", json={"texts": ["gone"] * 28}, timeout=0.3)
    until(lambda: waiting(api) == 0)
    echo.gate.set()
    assert api.post("/classify", json={"text": "next"}).json()["classifiers"] == ["next"]
    assert len([text for batch in echo.batches for text in batch if text == "gone"]) == 8, "one batch had begun"


def test_while_the_classifier_is_away(api: httpx.Client, echo: Echo) -> None:
    echo.away = Unavailable("s3cret", 7)
    for path, body in (("/classify", {"text": "a"}), ("/classify_batch", {"texts": ["a"]})):
        reply = api.post(path, json=body)
        check_problem(reply, 503)
        assert reply.headers["retry-after"] == "7"
        assert "s3cret" not in reply.text
    echo.away = None
    assert api.post("/classify", json={"text": "a"}).status_code == 200


def test_while_the_model_is_loaded(echo: Echo) -> None:
    loaded = threading.Event()

    def open_slowly() -> tuple[Classifier, Choice]:
        assert loaded.wait(20)
        return echo, Choice("qwen", "test")

    with service_over(open_slowly) as url, httpx.Client(base_url=url, timeout=20) as api:
        assert api.get("/livez").status_code == 200
        check_problem(api.get("/readyz"), 503)
        assert "loaded" in api.get("/readyz").json()["detail"]
        check_problem(api.get("/health"), 503)
        check_problem(api.post("/classify", json={"text": "a"}), 503)
        loaded.set()
        until(lambda: api.get("/readyz").status_code == 200)
        assert api.post("/classify", json={"text": "a"}).status_code == 200
    assert echo.closed == 1


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/classify", {}, ["text"]),
        ("/classify", {"text": ""}, ["text"]),
        ("/classify", {"text": " \n "}, ["text"]),
        ("/classify", {"text": 7}, ["text"]),
        ("/classify", {"text": "x" * 16_385}, ["text"]),
        ("/classify", {"text": "x", "surprise": 1}, ["surprise"]),
        ("/classify_batch", {}, ["texts"]),
        ("/classify_batch", {"texts": "x"}, ["texts"]),
        ("/classify_batch", {"texts": ["x", "", None]}, ["texts.1", "texts.2"]),
        ("/classify_batch", {"texts": ["x"] * 1001}, ["texts"]),
    ],
)
def test_bad_input_is_named(api: httpx.Client, path: str, body: dict[str, Any], fields: list[str]) -> None:
    check_problem(api.post(path, json=body), 422, *fields)


def test_what_is_no_request(api: httpx.Client) -> None:
    check_problem(api.post("/classify", content=b"{", headers=JSON), 400, "body")
    check_problem(api.post("/classify", content=b"[]", headers=JSON), 422, "body")
    check_problem(api.post("/classify", content=b'{"text": "x"}'), 415)
    check_problem(api.post("/classify", content=b" " * 9 * 1024 * 1024, headers=JSON), 413)
    check_problem(api.get("/classify"), 405)
    check_problem(api.get("/nothing"), 404)


def test_it_describes_itself(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path in ("/classify", "/classify_batch"):
        post = document["paths"][path]["post"]
        assert "example" in post["requestBody"]["content"]["application/json"]["schema"]
        assert post["responses"].keys() >= {"200", "422", "429", "503"}
    assert "example" in document["components"]["schemas"]["Classified"]


def test_metrics(api: httpx.Client) -> None:
    api.post("/classify_batch", json={"texts": ["a", "b"]})
    assert "hm_classify_waiting_texts 0.0" in api.get("/metrics").text


def test_the_page_and_its_script_come_from_here(api: httpx.Client) -> None:
    assert "docs/assets/swagger-ui-bundle.js" in api.get("/docs").text
    assert api.get("/docs/assets/swagger-ui-bundle.js").status_code == 200
    check_problem(api.get("/redoc"), 404)
