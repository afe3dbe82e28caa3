"""One child process and its output."""

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.local.output import WriteLine

_KEPT_LINES = 10
_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class Child:
    """A command to keep running; `env` is added to ours."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    essential: bool = True
    """Whether the others are stopped when it refuses or keeps dying."""


class RunningChild:
    """A started `Child`. Its lines go to `write`; the last few are kept."""

    def __init__(self, child: Child, process: asyncio.subprocess.Process, write: WriteLine) -> None:
        self.child = child
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process, self._write = process, write
        self._started = time.monotonic()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, child: Child, write: WriteLine) -> "RunningChild":
        """Start it in a process group of its own, so that Ctrl-C reaches it through us and in our order.

        Raises:
            OSError: the command cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *dies_with_parent(child.argv, signal.SIGTERM),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_BYTES,
            process_group=0,
        )
        return cls(child, process, write)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def lived(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    async def wait(self) -> int:
        """Its exit code (negative: a signal), once it ended and its output was read."""
        code = await self._process.wait()
        # A grandchild may hold the pipe open.
        await asyncio.wait([self._reader], timeout=1.0)
        return code

    async def stop(self, deadline: float) -> None:
        """End it: SIGTERM, and SIGKILL after `deadline` seconds."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self.wait(), deadline)
        except TimeoutError:
            self._write(self.child.name, f"did not stop within {deadline:.0f} s, so it is killed")
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                raw = await self._process.stdout.readline()
            except ValueError:  # a line longer than the limit; it was thrown away
                continue
            if not raw:
                return
            line = raw.decode(errors="replace").rstrip("\r\n")
            if line.strip():
                self.last_lines.append(line)
            self._write(self.child.name, line)
