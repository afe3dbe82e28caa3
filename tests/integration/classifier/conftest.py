"""The tiny model of the tests, made once and kept."""

from pathlib import Path

import pytest

from tests.tiny_qwen import tiny_qwen as make


@pytest.fixture(scope="session")
def tiny_qwen(kafka_cache: Path) -> Path:
    """The folder of the tiny model; the first run on a machine trains it."""
    return make(kafka_cache)
