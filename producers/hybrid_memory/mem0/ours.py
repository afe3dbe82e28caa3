"""What the log holds of Mem0's memories, and how that differs from what Mem0 says: on disk, so that a million fit.

A hundred thousand memories cost about 25 MB of disk in the temporary folder, and at most 24 MB of memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Literal, Self

from hybrid_memory.mem0.fingerprint import differing, fingerprint
from hybrid_memory.schemas import Memory, memory_key

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -24576;
CREATE TABLE ours (key TEXT PRIMARY KEY, user TEXT, memory TEXT, print BLOB, expires REAL) WITHOUT ROWID;
CREATE TABLE met (key TEXT PRIMARY KEY, print BLOB) WITHOUT ROWID
"""

Kind = Literal["missing", "different", "gone"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mem0 has a memory that the log has not (missing) or has otherwise (different), or the log has one that Mem0 has
    not (gone). `fields` are those that differ."""

    kind: Kind
    user_id: str
    memory_id: str
    fields: tuple[str, ...] = ()


class Ours:
    """Two tables in a temporary file, gone when closed: what the log holds, and what was met in Mem0 this round.
    Belongs to one thread."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="hm-mem0-", ignore_cleanup_errors=True)
        self._db = sqlite3.connect(Path(self._folder.name) / "ours.sqlite", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def put(self, memories: Iterable[Memory]) -> None:
        """The log holds these; of a key, what comes later counts."""
        self._db.executemany("INSERT OR REPLACE INTO ours VALUES (?, ?, ?, ?, ?)", map(_row, memories))

    def drop(self, keys: Iterable[str]) -> None:
        """The log holds these no more."""
        self._db.executemany("DELETE FROM ours WHERE key = ?", ((key,) for key in keys))

    def begin(self) -> None:
        """A new round: nothing is met yet."""
        self._db.execute("DELETE FROM met")

    def meet(self, memory: Memory) -> Difference | None:
        """Mem0 has this; how it differs from what the log has. One that was met like this in this round says nothing."""
        theirs = fingerprint(memory)
        if self._print("met", memory.key) == theirs:
            return None
        self._db.execute("INSERT OR REPLACE INTO met VALUES (?, ?)", (memory.key, theirs))
        ours = self._print("ours", memory.key)
        if ours is None:
            return Difference("missing", memory.user_id, memory.memory_id)
        fields = differing(ours, theirs)
        return Difference("different", memory.user_id, memory.memory_id, fields) if fields else None

    def gone(self, users: Sequence[str] | None, now: datetime | None = None) -> Iterator[Difference]:
        """What the log has and this round did not meet, of these users alone or of all. What has expired is left out:
        neither side shows it."""
        at = (now or datetime.now(UTC)).timestamp()
        found = self._db.execute(
            "SELECT user, memory FROM ours WHERE (expires IS NULL OR expires > ?) "
            "AND NOT EXISTS (SELECT 1 FROM met WHERE met.key = ours.key)",
            (at,),
        )
        for user, memory in found:
            if users is None or user in users:
                yield Difference("gone", user, memory)

    def held(self) -> int:
        """How many memories of Mem0's the log has."""
        return int(self._db.execute("SELECT count(*) FROM ours").fetchone()[0])

    def close(self) -> None:
        """Forget everything."""
        self._db.close()
        self._folder.cleanup()

    def _print(self, table: Literal["ours", "met"], key: str) -> bytes | None:
        found = self._db.execute(f"SELECT print FROM {table} WHERE key = ?", (key,)).fetchone()
        return None if found is None else bytes(found[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _row(memory: Memory) -> tuple[str, str, str, bytes, float | None]:
    expires = memory.expires_at.timestamp() if memory.expires_at is not None else None
    return memory_key(memory.user_id, memory.memory_id), memory.user_id, memory.memory_id, fingerprint(memory), expires
