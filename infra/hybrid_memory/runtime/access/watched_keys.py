"""Keys that are reloaded when their file changes, so that one that is revoked stops within seconds."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from hybrid_memory.runtime.access.key_file import Entries, read_keys
from hybrid_memory.runtime.access.keys import KeyRing
from hybrid_memory.runtime.errors import Refusal

_LOG = logging.getLogger(__name__)

Stamp = tuple[int, int, int] | None
"""What of a file changes when it does; None: there is none."""


class WatchedKeys:
    """The keys of a file, and `fixed` ones. For one event loop.

    `guarded` says whether there has been a key, or a file for them, since this began: once keys are asked for, no
    missing file opens the door again. While a file cannot be read, what was read before counts.

    Raises:
        Refusal: the file is there and cannot be read as a key file.
    """

    def __init__(
        self, path: Path, fixed: Entries = (), *, every: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._fixed, self._every, self._clock = path, fixed, every, clock
        self._stamp: Stamp = None
        self._ring = KeyRing(fixed)
        self.guarded = bool(fixed)
        self._load()
        self._due = clock() + every

    async def ring(self) -> KeyRing:
        """The keys as they were at most a second ago."""
        if self._clock() >= self._due:
            self._due = self._clock() + self._every  # first: while one reads, the others go on
            await asyncio.to_thread(self._reload)
        return self._ring

    def _reload(self) -> None:
        try:
            self._load()
        except Refusal as error:
            _LOG.error("the keys are as they were: %s", error)

    def _load(self) -> None:
        stamp = _stamp_of(self._path)
        if stamp == self._stamp:
            return
        try:
            entries = read_keys(self._path)
        except FileNotFoundError:
            entries, stamp = (), None
        self._ring = KeyRing((*self._fixed, *entries))
        self._stamp = stamp
        self.guarded = self.guarded or stamp is not None


def _stamp_of(path: Path) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
