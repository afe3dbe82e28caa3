"""`hm publish` from end to end, and a record that nobody can read."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.schemas import MEMORIES, NewRecord
from tests.e2e.programs import ROOT, Service, hm, run, until
from tests.e2e.test_memories import path
from tests.e2e.test_seed_api import add, search, texts
from tests.integration.sink.world import World


@pytest.fixture
def world(service: Service, tmp_path: Path) -> Iterator[World]:
    """The log of the shared service."""
    settings = load_settings(
        kafka={"bootstrap_servers": service.env["HM_KAFKA__BOOTSTRAP_SERVERS"]},
        topic_prefix=service.env["HM_TOPIC_PREFIX"],
    )
    with Publisher(settings) as publisher:
        yield World(settings, tmp_path, publisher)


def test_a_file_is_searchable(service: Service, user: str, tmp_path: Path) -> None:
    lines = [{"user_id": user, "memory_id": f"m{number}", "text": f"I own {number} bicycles"} for number in range(50)]
    file = tmp_path / "memories.jsonl"
    deletion = {"user_id": user, "memory_id": "m7", "deleted": True}
    file.write_text("\n".join(json.dumps(line) for line in [*lines, deletion]) + "\n{bad\n")
    done = run("publish", str(file), env=service.env)
    assert done.returncode == 1, "one line was bad"
    assert "line 52" in done.stderr
    assert "Traceback" not in done.stderr
    assert "50 published, 1 deleted, 1 failed" in done.stdout
    until(lambda: service.http.get(path(user, "m49")).status_code == 200, 20)
    until(lambda: service.http.get(path(user, "m7")).status_code == 404, 20)
    until(lambda: len(search(service.http, user, "bicycles", limit=100)) == 49, 20)


def test_a_pipe_is_searchable(service: Service, user: str) -> None:
    line = json.dumps({"text": "I came through a pipe"}).encode()
    done = subprocess.run(
        hm("publish", "-", "--user-id", user, "--json"),
        input=line,
        env=dict(service.env),
        capture_output=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["published"] == 1
    until(lambda: texts(search(service.http, user, "pipe")) == ["I came through a pipe"], 20)


def test_a_record_that_nobody_can_read(service: Service, world: World, api: httpx.Client, user: str) -> None:
    """It goes to the dead letters as it came, with the reason; the sink goes on, and what it would hide stays."""
    add(api, user, "I love sushi", memory_id="m")
    world.send(
        NewRecord(MEMORIES, f"{user}/m".encode(), b"\x00 not json", (("mine", b"kept"),)),
        NewRecord(MEMORIES, f"{user}/n".encode(), json.dumps({"user_id": user, "text": "no id"}).encode()),
    )
    add(api, user, "I love tea", memory_id="m2")
    until(lambda: len([letter for letter in world.read("dlq.memories") if _of(letter.key, user)]) == 2, 20)
    letters = {letter.key: letter for letter in world.read("dlq.memories") if _of(letter.key, user)}
    letter = letters[f"{user}/m".encode()]
    headers = {name: (value or b"").decode() for name, value in letter.headers}
    assert letter.value == b"\x00 not json"
    assert headers["mine"] == "kept"
    assert headers["hm-error-class"] == "poison"
    assert headers["__connect.errors.topic"] == f"{world.settings.topic_prefix}memories"
    assert headers["__connect.errors.partition"] == str(letter.partition)
    assert int(headers["__connect.errors.offset"]) >= 1
    for name in ("stage", "exception.class.name", "exception.message"):
        assert headers[f"__connect.errors.{name}"]
    assert sorted(texts(search(api, user, "I love"))) == ["I love sushi", "I love tea"]
    assert api.get("/readyz").status_code == 200
    assert 'hm_dead_letters_total{error_class="poison",stage="sink"}' in api.get("/metrics").text


def _of(key: bytes | None, user: str) -> bool:
    return (key or b"").startswith(user.encode())
