"""The fixture `world`: topics of their own on the real broker; and `hm dlq` as people run it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.runtime.topics import apply_topics
from tests.e2e.programs import environment, run
from tests.integration.sink.world import World


@pytest.fixture
def world(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[World]:
    settings = load_settings(kafka={"bootstrap_servers": kafka}, topic_prefix=topic_prefix)
    apply_topics(settings)
    with Publisher(settings) as publisher:
        yield World(settings, tmp_path, publisher)


class Dlq:
    """Runs `hm dlq` on the topics of a world."""

    def __init__(self, world: World) -> None:
        self.env = environment(
            HM_KAFKA__BOOTSTRAP_SERVERS=world.settings.bootstrap_servers,
            HM_TOPIC_PREFIX=world.settings.topic_prefix,
            COLUMNS="200",
            TMPDIR=str(world.folder),
        )
        self.folder = world.folder

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it says on standard output, or on standard error when it fails."""
        done = run("dlq", *arguments, env=self.env)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr if code == 2 else done.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))

    def letters(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("list", *arguments)["letters"]
        return found

    def editor(self, expression: str) -> None:
        """From now on the editor does this `sed` expression."""
        script = self.folder / "editor.sh"
        script.write_text(f'#!/bin/sh\nexec sed -i {expression!r} "$1"\n')
        script.chmod(0o755)
        self.env = {**self.env, "EDITOR": str(script)}


@pytest.fixture
def dlq(world: World) -> Dlq:
    return Dlq(world)
