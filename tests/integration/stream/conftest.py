"""The fixture `stream`: topics of two partitions on the real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_memory.runtime.settings import load_settings
from tests.integration.stream.world import StreamWorld, make_topics, stream_world


@pytest.fixture
def stream(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[StreamWorld]:
    settings = load_settings(kafka={"bootstrap_servers": kafka}, topic_prefix=topic_prefix)
    make_topics(settings, 2)
    with stream_world(settings, tmp_path) as world:
        yield world
