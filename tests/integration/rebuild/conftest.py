"""The fixture `world`: topics of their own on the real broker, and a data folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.runtime.topics import apply_topics
from tests.integration.sink.world import World


@pytest.fixture
def world(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[World]:
    settings = load_settings(
        kafka={"bootstrap_servers": kafka},
        topic_prefix=topic_prefix,
        data_dir=tmp_path,
        embedder={"kind": "hash"},
        expect_stream=True,
    )
    apply_topics(settings)
    with Publisher(settings) as publisher:
        yield World(settings, tmp_path, publisher)
