"""`hm` as people run it: a child process, its output in a file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.local.ports import free_port

ROOT = Path(__file__).parents[2]


def environment(**ours: str) -> dict[str, str]:
    """Ours alone: no `HM_` setting of the person who runs the tests, but for where Kafka is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HM_") or name == "HM_CACHE_DIR"}
    return {**kept, "HM_EMBEDDER__KIND": "hash", "PYTHONUNBUFFERED": "1", **ours}


def hm(*arguments: str) -> list[str]:
    """The command line of `hm` with the Python of the tests."""
    return [sys.executable, "-m", "hybrid_memory.cli", *arguments]


def run(*arguments: str, env: Mapping[str, str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        hm(*arguments), env=dict(env), capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT
    )


def until(condition: Callable[[], object], seconds: float, what: Callable[[], str] = str) -> None:
    """Wait for something that must come true; `what` says more when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true in {seconds} s; {what()}"
        time.sleep(0.05)


@dataclass
class Program:
    """A running command."""

    process: subprocess.Popen[bytes]
    output: Path

    @classmethod
    def start(cls, command: list[str], env: Mapping[str, str], output: Path) -> Self:
        """Start it; it does not outlive the tests."""
        with output.open("ab") as stream:
            process = subprocess.Popen(
                dies_with_parent(command, signal.SIGTERM),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        return cls(process, output)

    @property
    def said(self) -> str:
        """All that it has printed so far."""
        return self.output.read_text()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def stop(self, sign: signal.Signals = signal.SIGTERM, deadline: float = 30) -> int:
        """Ask it to stop, and wait; its exit code."""
        if self.running:
            self.process.send_signal(sign)
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not stop within {deadline} s; it said: {self.said[-2000:]}") from None


@dataclass
class Service:
    """An `hm serve` on a port of its own, and a client for it."""

    program: Program
    http: httpx.Client
    env: Mapping[str, str]
    folder: Path

    @classmethod
    def start(cls, kafka: str, topic_prefix: str, folder: Path, **env: str) -> Self:
        """Start it; it may not be ready yet."""
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        names = {"HM_KAFKA__BOOTSTRAP_SERVERS": kafka, "HM_TOPIC_PREFIX": topic_prefix, "HM_DATA_DIR": str(folder)}
        env = environment(**names, **env)
        program = Program.start(hm("serve", "--port", str(port)), env, folder / "serve.log")
        return cls(program, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30), env, folder)

    def answers(self, path: str) -> bool:
        """Whether this path answers 200 now."""
        assert self.program.running, f"hm serve ended: {self.program.said[-2000:]}"
        try:
            return self.http.get(path).status_code == 200
        except httpx.TransportError:
            return False

    def until_ready(self, seconds: float = 60) -> Self:
        """Wait until all of it works."""
        until(lambda: self.answers("/readyz"), seconds, lambda: self.program.said[-2000:])
        return self

    def stop(self) -> int:
        """Stop it cleanly; its exit code."""
        self.http.close()
        return self.program.stop()
