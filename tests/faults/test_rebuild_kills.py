"""`kill -9` of `hm rebuild` and of `hm serve` at random moments, the switch among them, while memories are written.

`HM_TEST_KILLS` says how often (6), `HM_TEST_SEED` which random numbers (new ones; they are printed).
"""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.folders import FolderGenerations
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.runtime.topics import apply_topics
from tests.e2e.programs import Program, Service, hm, run, until
from tests.integration.sink.test_rebuild import life, points
from tests.integration.sink.world import World

KILLS = int(os.environ.get("HM_TEST_KILLS", "6"))
SEED = int(os.environ.get("HM_TEST_SEED") or random.randrange(10**6))


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(120 + 40 * KILLS)
def test_nothing_is_lost_or_doubled(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    print(f"HM_TEST_SEED={SEED}")
    dice, data = random.Random(SEED), tmp_path / "data"
    settings = load_settings(kafka={"bootstrap_servers": kafka}, topic_prefix=topic_prefix, data_dir=data)
    apply_topics(settings)
    with Publisher(settings) as publisher:
        world = World(settings, tmp_path, publisher)
        service = Service.start(kafka, topic_prefix, data).until_ready()
        stop = threading.Event()
        writer = threading.Thread(target=_write, args=(world, stop))
        writer.start()
        try:
            for number in range(KILLS):
                service = _round(dice, service, tmp_path / f"rebuild{number}.log", kafka, topic_prefix, data)
        finally:
            stop.set()
            writer.join()
        service.until_ready()
        _drop_kept(service, data)
        done = run("rebuild", env=service.env, timeout=120)
        assert done.returncode == 0, done.stderr
        until(lambda: "hm serve has gone over" in done.stderr, 1, lambda: done.stderr)
        _check(world, service, data)


def _write(world: World, stop: threading.Event) -> None:
    dice = random.Random(SEED)
    while not stop.wait(0.05):
        world.send(*life(dice.randrange(10**6), 10))


def _round(dice: random.Random, service: Service, log: Path, kafka: str, prefix: str, data: Path) -> Service:
    """A rebuild, and a kill of either at some moment of it."""
    _drop_kept(service, data)
    rebuild = Program.start(hm("rebuild"), service.env, log)
    time.sleep(dice.uniform(0.5, 6))
    if dice.random() < 0.5:
        rebuild.stop(signal.SIGKILL)
        return service
    service.http.close()
    service.program.stop(signal.SIGKILL)
    again = Service.start(kafka, prefix, data).until_ready()
    code = rebuild.stop()  # it may have been refused, since nobody answered it
    assert code in (0, 1, 2), rebuild.said
    assert "Traceback" not in rebuild.said
    return again


def _drop_kept(service: Service, data: Path) -> None:
    if FolderGenerations(data).kept() is not None:
        until(lambda: run("rebuild", "drop", env=service.env).returncode == 0, 30)


def _check(world: World, service: Service, data: Path) -> None:
    port = service.http.base_url.port
    verified = run("verify", "--url", f"http://127.0.0.1:{port}", env=service.env)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert service.stop() == 0
    generations = FolderGenerations(data)
    store = EdgeStore.open_existing(generations.folder(generations.current()))
    shown = {key: stored.point for key, stored in points(store).items()}
    store.close()
    with world.sink("fresh") as fresh:
        fresh.settle()
        assert {key: stored.point for key, stored in points(fresh.store).items()} == shown
    assert len(shown) > 10
