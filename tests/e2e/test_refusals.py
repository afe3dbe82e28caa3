"""What cannot be done is said in one clear sentence, with exit code 2 and no traceback."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.store import Identity
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.topics import apply_topics
from tests.e2e.conftest import made_topics
from tests.e2e.programs import Service, environment, run
from tests.e2e.test_seed_api import add


def check_refusal(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, and one sentence at the end of standard error that says all these words."""
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("hm: ")
    assert [word for word in words if word not in last] == [], last
    assert len([line for line in done.stderr.splitlines() if line.startswith("hm: ")]) == 1


@pytest.fixture
def env(kafka: str, folder: Path) -> dict[str, str]:
    """Everything is right with it, but for what the test spoils."""
    return environment(HM_KAFKA__BOOTSTRAP_SERVERS=kafka, HM_DATA_DIR=str(folder), HM_HTTP__PORT="0")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("command", ["serve", "up"])
def test_the_port_is_taken(env: dict[str, str], taken: int, command: str) -> None:
    check_refusal(run(command, "--port", str(taken), env=env), str(taken), "port", "--port")


@pytest.mark.parametrize("command", ["serve", "up"])
def test_the_folder_is_a_file(env: dict[str, str], tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    check_refusal(run(command, "--data-dir", str(tmp_path / "file"), env=env), str(tmp_path / "file"), "--data-dir")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", ["serve", "up"])
def test_the_folder_is_not_ours_to_write(env: dict[str, str], folder: Path, command: str) -> None:
    folder.mkdir(mode=0o500)
    check_refusal(run(command, env=env), str(folder), "cannot be written")


def test_no_kafka_is_named(env: dict[str, str]) -> None:
    del env["HM_KAFKA__BOOTSTRAP_SERVERS"]
    check_refusal(run("serve", env=env), "HM_KAFKA__BOOTSTRAP_SERVERS", "hm up")


def test_a_setting_that_nobody_knows(env: dict[str, str]) -> None:
    check_refusal(run("serve", env=env | {"HM_HTTP__PROT": "1"}), "HM_HTTP__PROT", "HM_HTTP__PORT")


def test_a_second_serve_on_the_same_folder(service: Service) -> None:
    done = run("serve", "--port", "0", env=service.env)
    check_refusal(done, str(service.folder), "in use")
    assert service.answers("/readyz")


def test_a_reset_while_it_is_used(service: Service) -> None:
    check_refusal(run("index", "reset", env=service.env), "in use")
    assert service.answers("/readyz")


def test_an_index_of_another_log(kafka: str, topic_prefix: str, folder: Path) -> None:
    """The topics are made anew under the same names; `hm index reset` mends it, as the sentence says."""
    settings = made_topics(kafka, topic_prefix)
    first = Service.start(kafka, topic_prefix, folder).until_ready()
    add(first.http, "ann", "I love sushi")
    assert first.stop() == 0
    cluster = Cluster(settings)
    names = [topic_prefix + name for name in ("memories", "memories.classified")]
    for future in cluster.admin.delete_topics(names).values():
        cluster.result(future)
    apply_topics(settings)
    check_refusal(run("serve", "--port", "0", env=first.env), "not a view of this log", "hm index reset")

    done = run("index", "reset", env=first.env)
    assert done.returncode == 0, done.stderr
    again = Service.start(kafka, topic_prefix, folder).until_ready()
    assert again.http.get("/list_users").json()["total_memories"] == 0
    assert again.stop() == 0


def test_an_index_of_another_embedder(kafka: str, topic_prefix: str, folder: Path, env: dict[str, str]) -> None:
    made_topics(kafka, topic_prefix)
    store = EdgeStore.open(folder / "index", HashEmbedder().dimensions)
    store.claim(Identity("an index", {}, "some-other-model", HashEmbedder().dimensions))
    store.close()
    done = run("serve", env=env | {"HM_TOPIC_PREFIX": topic_prefix})
    check_refusal(done, "some-other-model", HashEmbedder().name, "hm rebuild")
