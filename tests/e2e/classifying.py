"""The classifier service, and the stream, as people run them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from hybrid_memory.local.ports import free_port
from tests.e2e.programs import ROOT, Program, environment, hm, until

KNOWN = [sys.executable, "-m", "tests.service_process"]
"""The service with a classifier that answers with the first word of a text, and calls itself a model."""
RULES = hm("classify", "serve", "--classifier", "rules")


@dataclass
class HttpProgram:
    """A command that serves probes, on a port of its own, and a client for it."""

    program: Program
    http: httpx.Client

    @classmethod
    def start(cls, command: list[str], port_name: str, log: Path, **env: str) -> Self:
        """Start it; `port_name` is the setting of its port. It may not be ready yet."""
        port = str(free_port())
        given = environment(**env, **{port_name: port, "PYTHONPATH": str(ROOT)})
        program = Program.start(command, given, log)
        return cls(program, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20))

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    def until_ready(self, seconds: float = 60) -> Self:
        until(lambda: self.answers("/readyz"), seconds, lambda: self.program.said[-2000:])
        return self

    def stop(self) -> int:
        """Stop it cleanly; its exit code."""
        self.http.close()
        return self.program.stop()

    def answers(self, path: str) -> bool:
        """Whether this path answers 200 now."""
        assert self.program.running, f"it ended: {self.program.said[-2000:]}"
        try:
            return self.http.get(path).status_code == 200
        except httpx.TransportError:
            return False


def start_service(command: list[str], folder: Path, **env: str) -> HttpProgram:
    """A classifier service; it may not be ready yet."""
    return HttpProgram.start(command, "HM_SERVICE__PORT", folder / "service.log", **env)


def start_stream(kafka: str, topic_prefix: str, folder: Path, **env: str) -> HttpProgram:
    """A classifier stream; it may not be ready yet."""
    names = {"HM_KAFKA__BOOTSTRAP_SERVERS": kafka, "HM_TOPIC_PREFIX": topic_prefix}
    return HttpProgram.start(hm("classify", "stream"), "HM_STREAM__PORT", folder / "stream.log", **names, **env)
