"""The real client where no Kafka answers."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from hybrid_memory.client import AsyncMemoryClient, ClientClosed, InvalidMemory, MemoryClient, NotDelivered
from hybrid_memory.client import SomeNotDelivered as Some
from hybrid_memory.client.client import client_settings
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import load_settings


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens, and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_not_delivered_within_the_timeout(nowhere: str) -> None:
    began = time.monotonic()
    with MemoryClient(nowhere, timeout=1.0) as client:
        with pytest.raises(NotDelivered, match="does not answer") as caught:
            client.add("alice", "hello", memory_id="m1")
        with pytest.raises(NotDelivered):
            client.delete("alice", "m1")
    assert caught.value.memory.key == "alice/m1"
    assert caught.value.retriable
    assert time.monotonic() - began < 10


def test_a_list_fails_as_one_and_asks_once(nowhere: str) -> None:
    began = time.monotonic()
    with MemoryClient(nowhere, timeout=1.0) as client, pytest.raises(Some) as caught:
        client.add_many({"user_id": "u", "text": str(i)} for i in range(50))
    assert [failure.index for failure in caught.value.failed] == list(range(50))
    assert caught.value.added == {}
    assert time.monotonic() - began < 10


def test_an_invalid_one_in_a_list_sends_nothing(nowhere: str) -> None:
    with (
        MemoryClient(nowhere, timeout=1.0) as client,
        pytest.raises(InvalidMemory, match=r"^memory 1: text: ") as caught,
    ):
        client.add_many([{"user_id": "u", "text": "x"}, {"user_id": "u", "text": ""}])
    assert caught.value.index == 1


def test_an_empty_list_is_done_at_once(nowhere: str) -> None:
    began = time.monotonic()
    with MemoryClient(nowhere) as client:
        assert client.add_many([]) == []
    assert time.monotonic() - began < 5


def test_an_unknown_field_is_refused_before_kafka_is_asked(nowhere: str) -> None:
    with MemoryClient(nowhere) as client, pytest.raises(InvalidMemory, match="clasifiers"):
        client.add("u", "x", clasifiers=["a"])  # type: ignore[call-arg]  # on purpose


def test_after_close(nowhere: str) -> None:
    client = MemoryClient(nowhere, timeout=1.0)
    client.close()
    client.close()
    for use in (lambda: client.add("u", "x"), lambda: client.delete("u", "m"), lambda: client.add_many([])):
        with pytest.raises(ClientClosed):
            use()


async def test_the_loop_runs_on_while_kafka_is_asked(nowhere: str) -> None:
    async with AsyncMemoryClient(nowhere, timeout=1.5) as client:
        gaps: list[float] = []
        ticking = asyncio.create_task(tick(gaps))
        outcomes = await asyncio.gather(*(client.add("u", str(i)) for i in range(20)), return_exceptions=True)
        ticking.cancel()
    assert all(isinstance(outcome, NotDelivered) for outcome in outcomes)
    assert max(gaps) < 0.5
    assert len(gaps) > 10


async def tick(gaps: list[float]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.02)
        gaps.append(time.monotonic() - began)


async def test_the_asynchronous_one_has_the_same_errors(nowhere: str) -> None:
    client = AsyncMemoryClient(nowhere, timeout=1.0)
    with pytest.raises(InvalidMemory):
        await client.add("u", "")
    with pytest.raises(Some):
        await client.add_many([{"user_id": "u", "text": "x"}])
    with pytest.raises(NotDelivered):
        await client.delete("u", "m")
    await client.close()
    with pytest.raises(ClientClosed):
        await client.add("u", "x")


def test_no_kafka_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HM_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(Refusal, match="HM_KAFKA__BOOTSTRAP_SERVERS"):
        MemoryClient()


def test_a_setting_that_kafka_does_not_know(monkeypatch: pytest.MonkeyPatch, nowhere: str) -> None:
    monkeypatch.setenv("HM_KAFKA__LINGER_MILLIS", "5")
    with pytest.raises(Refusal, match=r"linger\.millis"):
        MemoryClient(nowhere)


def test_what_is_given_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", "env:1")
    monkeypatch.setenv("HM_KAFKA__LINGER_MS", "3")
    monkeypatch.setenv("HM_TOPIC_PREFIX", "env-")
    assert client_settings().bootstrap_servers == "env:1"
    given = client_settings("given:2", "given-")
    assert (given.kafka, given.topic_prefix) == ({"bootstrap.servers": "given:2", "linger.ms": "3"}, "given-")
    settings = load_settings()
    assert client_settings(settings=settings) == settings
    assert client_settings("given:2", settings=settings).kafka["bootstrap.servers"] == "given:2"
    assert settings.kafka["bootstrap.servers"] == "env:1"
