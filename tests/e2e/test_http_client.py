"""The HTTP clients, all of their verbs, on a running service: the same story for both."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hybrid_memory.client import AsyncHttpMemoryClient, EditLost, HttpMemoryClient, NoSuchMemory, RequestRefused
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.schemas import MEMORIES, NewRecord
from tests.e2e.programs import ROOT, Service, until


class InALoop:
    """The coroutines of the asyncio client as plain calls."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncHttpMemoryClient(url)

    def __getattr__(self, verb: str) -> Any:
        return lambda *given, **named: self._runner.run(getattr(self._client, verb)(*given, **named))

    def list(self, *given: Any, **named: Any) -> Any:
        async def collected() -> Any:
            return [memory async for memory in self._client.list(*given, **named)]

        return self._runner.run(collected())

    def dead_letters(self, **named: Any) -> Any:
        async def collected() -> Any:
            return [letter async for letter in self._client.dead_letters(**named)]

        return self._runner.run(collected())

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(params=[HttpMemoryClient, InALoop])
def client(request: pytest.FixtureRequest, service: Service) -> Iterator[Any]:
    client = request.param(str(service.http.base_url))
    yield client
    client.close()


def test_every_verb(client: Any, user: str) -> None:
    added = client.add(user, "I love ramen", memory_id="m", metadata={"mood": "hungry"})
    assert (added.memory_id, added.searchable, added.topic) == ("m", True, "food")

    results = client.add_many(user, [{"text": "I play the cello", "memory_id": "c"}, {"text": ""}])
    assert [result.status for result in results] == ["success", "error"]
    assert results[1].errors[0].field == "text"

    view = client.get(user, "m")
    assert (view.text, view.metadata, view.seq) == (
        "I love ramen",
        {"mood": "hungry"},
        int(added.position.split(":")[2]),
    )

    edited = client.update(user, "m", if_match=view.etag, text="I love udon", metadata={"mood": None}, topic="food")
    assert (edited.text, edited.metadata) == ("I love udon", {})
    with pytest.raises(EditLost):
        client.update(user, "m", if_match=view.etag, text="I love soba")

    pending = client.update(user, "m", wait=False, text="I love soba")
    found = client.search(user, "I love soba", after=[pending.position], wait_ms=20_000, explain=True, topic="food")
    assert (found.fresh, [hit.text for hit in found.memories]) == (True, ["I love soba"])
    assert found.memories[0].explanation.keys() == {"text", "words", "classifiers"}

    assert [memory.memory_id for memory in client.list(user, order="oldest", page_size=1)] == ["c", "m"]
    assert [memory.memory_id for memory in client.list(user, metadata={"mood": "hungry"})] == []
    assert [memory.memory_id for memory in client.list(user, topic="food")] == ["m"]

    assert client.delete(user, "m").applied
    with pytest.raises(NoSuchMemory):
        client.get(user, "m")
    assert client.delete_all(user).deleted == 1
    assert list(client.list(user)) == []


def test_the_example_of_the_docs_runs_as_it_stands(
    service: Service, user: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HM_API_KEY", raising=False)
    section = (ROOT / "docs" / "http-api.md").read_text().partition("## From Python")[2]
    [example, shown] = re.findall(r"```(?:python)?\n(.*?)```", section.partition("## Operations")[0], re.DOTALL)
    exec(example.replace("http://127.0.0.1:8765", str(service.http.base_url)).replace('"ada"', f'"{user}"'), {})
    said = capsys.readouterr().out
    assert without_scores(said) == without_scores(shown)


def without_scores(text: str) -> str:
    """The service of the tests has another embedder, which scores otherwise."""
    return re.sub(r"^0\.\d\d ", "", text, flags=re.MULTILINE)


def test_ids_of_dots_and_slashes(client: Any, user: str) -> None:
    for memory_id in ("..", ".", "a/../b", "100%"):
        client.add(f"{user}/..", "x", memory_id=memory_id)
        assert client.get(f"{user}/..", memory_id).memory_id == memory_id
    assert client.delete_all(f"{user}/..").deleted == 4


def test_a_field_that_the_service_refuses(client: Any, user: str) -> None:
    with pytest.raises(RequestRefused, match="limit") as caught:
        client.search(user, "x", limit=1000)
    assert [error.field for error in caught.value.errors] == ["limit"]


def test_more_than_one_import(client: Any, user: str) -> None:
    results = client.add_many(user, ({"text": f"fact {n}"} for n in range(1500)))
    assert all(result.searchable for result in results)
    assert len({memory.memory_id for memory in client.list(user, page_size=400)}) == 1500


def test_dead_letters(client: Any, service: Service, user: str) -> None:
    settings = load_settings(
        kafka={"bootstrap_servers": service.env["HM_KAFKA__BOOTSTRAP_SERVERS"]},
        topic_prefix=service.env["HM_TOPIC_PREFIX"],
    )
    known = {letter.letter for letter in client.dead_letters()}
    with Publisher(settings) as publisher:
        publisher.send_all([NewRecord(MEMORIES, f"{user}/{n}".encode(), b"no JSON") for n in ("a", "b")])

    def new() -> list[Any]:
        return [one for one in client.dead_letters(error_class="poison", page_size=1) if one.letter not in known]

    until(lambda: len(new()) == 2, 20)
    first, second = new()
    whole = client.dead_letter(first.letter)
    assert (whole.value, whole.key, whole.redrives) == ("no JSON", first.key, 0)
    tried = client.redrive([first.letter], dry_run=True)
    assert (tried.done, tried.left[0].letter) == (False, first.letter)
    mended = {"user_id": user, "memory_id": first.key.partition("/")[2], "text": "I like tea"}
    done = client.redrive([first.letter], value=json.dumps(mended))
    assert done.redriven[0].drops == (first.letter,)
    assert client.drop_dead_letters([second.letter], reason="a test").dropped == (second.letter,)
    assert new() == []
    with pytest.raises(NoSuchMemory, match="no dead letter stands there"):
        client.dead_letter(first.letter)
    until(lambda: [one.text for one in client.list(user)] == ["I like tea"], 10)
