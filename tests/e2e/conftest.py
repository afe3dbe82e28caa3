"""One `hm serve` on the test broker, shared by the tests that only ask it things; each with users of its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.runtime.topics import apply_topics
from tests.e2e.programs import Service


def made_topics(kafka: str, topic_prefix: str) -> Settings:
    """Settings of a log of its own, with its topics made."""
    settings = load_settings(kafka={"bootstrap_servers": kafka}, topic_prefix=topic_prefix)
    apply_topics(settings)
    return settings


@pytest.fixture(scope="session")
def service(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    prefix = f"e2e{uuid.uuid4().hex[:8]}."
    made_topics(kafka, prefix)
    service = Service.start(kafka, prefix, tmp_path_factory.mktemp("e2e"))
    try:
        yield service.until_ready()
    finally:
        code = service.stop()
    assert code == 0
    assert "Traceback" not in service.program.said


@pytest.fixture
def api(service: Service) -> httpx.Client:
    """A client of the shared service."""
    return service.http


@pytest.fixture
def user() -> str:
    """A user that no other test has."""
    return f"user-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"
