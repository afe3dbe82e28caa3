"""The fixture `log`: topics of two partitions on the real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_memory.runtime.settings import load_settings
from tests.integration.replay.world import ReplayWorld, make_topics, replay_world


@pytest.fixture
def log(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[ReplayWorld]:
    settings = load_settings(
        kafka={"bootstrap_servers": kafka},
        topic_prefix=topic_prefix,
        data_dir=tmp_path / "data",
        classifier={"kind": "rules"},
        embedder={"kind": "hash"},
    )
    make_topics(settings)
    with replay_world(settings, tmp_path) as world:
        yield world
