"""What one process at a time holds, until it lets go or dies. No lock outlives a `kill -9`."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Self


class Held:
    """A lock on a file of its own. SQLite's lock: on every system, none inherited by a forked child."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Take it; None where somebody has it. Does not wait.

        Raises:
            OSError: the file cannot be made there.
        """
        try:
            connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise OSError(f"cannot open {path}: {error}") from None
        try:
            connection.execute("PRAGMA journal_mode=MEMORY")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            connection.close()
            return None
        return cls(connection)

    def release(self) -> None:
        """Let go; a second call does nothing."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
