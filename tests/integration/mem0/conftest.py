"""A fake platform on a free port, and topics of its own on the real broker."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

# Read when mem0 is imported: it is to ask nobody, and to leave nothing behind in the home folder.
os.environ["MEM0_TELEMETRY"] = "False"

from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Mem0Settings, Settings
from hybrid_memory.runtime.topics import apply_topics
from tests.integration.mem0.platform import KEY, FakePlatform


@pytest.fixture(autouse=True)
def mem0_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEM0_DIR", str(tmp_path_factory.getbasetemp() / "mem0-home"))


@pytest.fixture
def platform() -> Iterator[FakePlatform]:
    with FakePlatform().running() as running:
        yield running


@pytest.fixture
def client(platform: FakePlatform) -> Iterator[Any]:
    """Mem0's own client of this platform."""
    from mem0 import MemoryClient

    made = MemoryClient(api_key=KEY, host=platform.url)
    yield made
    made.client.close()  # it does not do so itself


@pytest.fixture
def settings(kafka: str, topic_prefix: str, platform: FakePlatform, clean_environment: pytest.MonkeyPatch) -> Settings:
    """Of a process that takes this platform's changes into topics of its own."""
    mem0 = Mem0Settings.model_validate({"api_key": KEY, "url": platform.url, "rate_per_second": 10_000})
    made = Settings(kafka={"bootstrap.servers": kafka}, topic_prefix=topic_prefix, mem0=mem0)
    apply_topics(made)
    return made


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    with Publisher(settings) as made:
        yield made
