"""A real Kafka for every test that asks for one: one broker a test run, shared by all workers.

`HM_TEST_KAFKA=HOST:PORT` runs the tests on another cluster; `HM_CACHE_DIR` says where Kafka is installed.
"""

import os
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from hybrid_memory.local import Broker

# Machines differ and are busy: how long an example takes says nothing. pytest's own timeout ends what hangs.
hypothesis_settings.register_profile("no deadline", deadline=None)
hypothesis_settings.load_profile("no deadline")


_ADDRESS = pytest.StashKey[str]()
_OWN = pytest.StashKey[tuple[Broker, "TemporaryDirectory[str]"]]()
# Small enough that a test sees segments roll, and many topics cost little.
_PROPERTIES = {
    "log.index.size.max.bytes": 1_000_000,
    "log.cleaner.backoff.ms": 200,
    "log.initial.task.delay.ms": 200,
    # Groups that share a topic hand over in tenths of a second, and miss who is gone within some.
    "group.consumer.heartbeat.interval.ms": 300,
    "group.consumer.min.heartbeat.interval.ms": 300,
    "group.consumer.session.timeout.ms": 6000,
    "group.consumer.min.session.timeout.ms": 6000,
}


def cache_dir() -> Path:
    """Where Kafka is installed, as the product itself says."""
    from hybrid_memory.runtime.settings import load_settings

    return load_settings().cache_dir


def start_broker() -> tuple[Broker, "TemporaryDirectory[str]"]:
    """A broker on a folder that goes when the run ends."""
    folder = TemporaryDirectory(prefix="hm-tests-kafka-", ignore_cleanup_errors=True)
    return Broker(Path(folder.name), cache_dir=cache_dir(), properties=_PROPERTIES).start(), folder


def pytest_configure(config: pytest.Config) -> None:
    """Take the address from the environment or, in a worker, from the controller."""
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    address = worker.get("kafka") or os.environ.get("HM_TEST_KAFKA")
    if address:
        config.stash[_ADDRESS] = address


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """With several workers: start the broker once, and tell each worker where it is."""
    node.workerinput["kafka"] = _address(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the broker if this run started it."""
    if _OWN in config.stash:
        broker, folder = config.stash[_OWN]
        broker.stop()
        folder.cleanup()


def _address(config: pytest.Config) -> str:
    if _ADDRESS not in config.stash:
        config.stash[_OWN] = start_broker()
        config.stash[_ADDRESS] = config.stash[_OWN][0].bootstrap_servers
    return config.stash[_ADDRESS]


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> str:
    """HOST:PORT of a running Kafka."""
    return _address(pytestconfig)


@pytest.fixture(scope="session")
def kafka_cache() -> Path:
    """The folder in which Kafka is installed, for tests that start brokers of their own."""
    return cache_dir()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topic names that no other test has (`HM_TOPIC_PREFIX`)."""
    return f"t{uuid.uuid4().hex[:12]}."


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No `HM_` setting of the person who runs the tests, but for the folder in which Kafka is installed."""
    for name in [name for name in os.environ if name.startswith("HM_") and name != "HM_CACHE_DIR"]:
        monkeypatch.delenv(name)
    return monkeypatch
