"""A Mem0 of each test's own, and what the log says of it."""

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid_memory.client import Memory, MemoryClient
from hybrid_memory.local.ports import free_port
from hybrid_memory.mem0.mapping import Rule, origin_of, to_memory
from hybrid_memory.mem0.oss.watched import whole
from hybrid_memory.mem0.states import from_store
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.runtime.topics import apply_topics
from hybrid_memory.schemas import MEMORIES, decode_memory, if_seq
from tests.mem0_oss import open_memory


@pytest.fixture(scope="session")
def topics(kafka: str) -> Settings:
    """Topics that all these tests share: each has a Mem0 of its own in them."""
    settings = load_settings(kafka={"bootstrap_servers": kafka}, topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    apply_topics(settings)
    return settings


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Mem0 tells nobody, and writes nowhere else."""
    monkeypatch.setenv("MEM0_TELEMETRY", "False")
    monkeypatch.setenv("MEM0_DIR", str(tmp_path / "mem0"))
    logging.getLogger("mem0").setLevel(logging.CRITICAL)


@pytest.fixture
def name() -> str:
    """What this test's Mem0 is called in the log."""
    return f"n{uuid.uuid4().hex[:12]}"


@pytest.fixture
def settings(topics: Settings, name: str, tmp_path: Path) -> Settings:
    """Settings of this test."""
    mem0 = topics.mem0.model_copy(update={"oss": topics.mem0.oss.model_copy(update={"name": name})})
    return topics.model_copy(update={"mem0": mem0, "data_dir": tmp_path / "data"})


@pytest.fixture
def client(settings: Settings) -> Iterator[MemoryClient]:
    """To Kafka."""
    with MemoryClient(settings=settings) as made:
        yield made


@pytest.fixture
def away(settings: Settings) -> Iterator[MemoryClient]:
    """To a Kafka that is not there."""
    with MemoryClient(f"127.0.0.1:{free_port()}", settings=settings, timeout=0.5) as made:
        yield made


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Any]:
    """A `Memory`."""
    made = open_memory(tmp_path)
    yield made
    shut(made)


def shut(memory: Any) -> None:
    """Close all that a memory has open: it closes its history alone."""
    memory.close()
    memory.vector_store.client.close()


def told(settings: Settings) -> dict[str, Memory | None]:
    """What the log says last of each memory of this test's Mem0, by its id, as an index would take it; None: it is
    deleted."""
    log, found, last = Log(settings, quiet=True), dict[str, Memory | None](), dict[str, int]()
    topic = log.topic(MEMORIES)
    for record in log.read(topic, log.whole(topic)):
        event, condition = decode_memory(record), if_seq(record)
        if condition is not None and last.get(event.memory_id, -1) > condition:
            continue  # it lost
        last[event.memory_id] = record.offset
        if not isinstance(event, Memory):
            found.update({event.memory_id: None} if event.memory_id in found else {})
        elif origin_of(event) == f"oss:{settings.mem0.oss.name}":
            found[event.memory_id] = event
    return found


def alive(settings: Settings) -> dict[str, Memory]:
    """What the log says is there."""
    return {memory_id: event for memory_id, event in told(settings).items() if event is not None}


def held(memory: Any, settings: Settings) -> dict[str, Memory]:
    """What Mem0's store holds, as it should stand in the log."""
    rule = Rule.of(settings.mem0, f"oss:{settings.mem0.oss.name}")
    store = memory.vector_store
    return {memory_id: to_memory(from_store(memory_id, payload), rule) for memory_id, payload in whole(store)}
