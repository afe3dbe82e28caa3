"""The fixture `world`: topics of their own on the real broker; and `hm dlq` as people call it."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from hybrid_memory.cli import main
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import load_settings
from hybrid_memory.runtime.topics import apply_topics
from tests.e2e.programs import environment
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
        )
        self.folder = world.folder

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it says on standard output, or on standard error when it fails. In this process: a new one takes most
        of a second.
        """
        out, err = StringIO(), StringIO()
        with (
            mock.patch.dict(os.environ, self.env, clear=True),
            mock.patch.object(tempfile, "tempdir", str(self.folder)),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            main(["dlq", *arguments])
        assert end.value.code == code, (end.value.code, out.getvalue(), err.getvalue())
        assert "Traceback" not in err.getvalue()
        return err.getvalue() if code == 2 else out.getvalue()

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
