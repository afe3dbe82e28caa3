"""What the log holds of Mem0's memories, and how that differs from what Mem0 says: on disk, so that a million fit.

A hundred thousand memories cost about 25 MB of disk in the temporary folder, and at most 24 MB of memory.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Literal, Self

from hybrid_memory.mem0.mapping import ABOUT, Rule, differing, fingerprints
from hybrid_memory.schemas import Memory

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -24576;
CREATE TABLE ours
    (key TEXT PRIMARY KEY, user TEXT, memory TEXT, owner TEXT, expires REAL, print BLOB) WITHOUT ROWID;
CREATE TABLE met (key TEXT PRIMARY KEY, print BLOB) WITHOUT ROWID;
CREATE TABLE hinted (key TEXT PRIMARY KEY, print BLOB) WITHOUT ROWID
"""

Kind = Literal["missing", "different", "gone"]
_Table = Literal["ours", "met", "hinted"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mem0 has a memory that the log has not (missing) or has otherwise (different), or the log has one that Mem0 has
    not (gone). `fields` are those that differ. `hinted`: a hint that says so waits for the publisher already."""

    kind: Kind
    user_id: str
    memory_id: str
    fields: tuple[str, ...] = ()
    hinted: bool = False


class Ours:
    """Tables in a temporary file, gone when closed: what the log holds of one Mem0, what hints say that wait for the
    publisher, and what was met in Mem0 this round. Belongs to one thread."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._folder = TemporaryDirectory(prefix="hm-mem0-", ignore_cleanup_errors=True)
        self._db = sqlite3.connect(Path(self._folder.name) / "ours.sqlite", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def put(self, memory: Memory) -> None:
        """The log holds this; of a key, what comes later counts."""
        about = memory.metadata.get(ABOUT)
        owner = about.get("user_id") if isinstance(about, dict) else None
        expires = memory.expires_at.timestamp() if memory.expires_at is not None else None
        row = (memory.key, memory.user_id, memory.memory_id, owner, expires, fingerprints(memory, self.rule))
        self._db.execute("INSERT OR REPLACE INTO ours VALUES (?, ?, ?, ?, ?, ?)", row)

    def drop(self, key: str) -> None:
        """The log holds this no more."""
        self._db.execute("DELETE FROM ours WHERE key = ?", (key,))

    def begin(self) -> None:
        """A new round: nothing is met yet, and no hint is known to wait."""
        self._db.execute("DELETE FROM met")
        self._db.execute("DELETE FROM hinted")

    def hint(self, memory: Memory) -> None:
        """A hint that carries this waits for the publisher."""
        self._put("hinted", memory.key, fingerprints(memory, self.rule))

    def meet(self, memory: Memory) -> Difference | None:
        """Mem0 has this; how it differs from what the log has. What was met before in this round says nothing."""
        theirs = fingerprints(memory, self.rule)
        if self._print("met", memory.key) == theirs:
            return None
        self._put("met", memory.key, theirs)
        ours = self._print("ours", memory.key)
        if ours == theirs:
            return None
        hinted = self._print("hinted", memory.key) == theirs
        if ours is None:
            return Difference("missing", memory.user_id, memory.memory_id, (), hinted)
        return Difference("different", memory.user_id, memory.memory_id, differing(ours, theirs), hinted)

    def gone(self, owners: Sequence[str] | None, now: datetime) -> Iterator[Difference]:
        """What the log has and this round did not meet: all, or what is of these users of Mem0. What has expired is
        left out, as neither side shows it."""
        found = self._db.execute(
            "SELECT user, memory, owner FROM ours WHERE (expires IS NULL OR expires > ?) "
            "AND NOT EXISTS (SELECT 1 FROM met WHERE met.key = ours.key)",
            (now.timestamp(),),
        )
        for user, memory, owner in found:
            if owners is None or owner in owners:
                yield Difference("gone", user, memory)

    def held(self) -> int:
        """How many memories of this Mem0 the log has."""
        return int(self._db.execute("SELECT count(*) FROM ours").fetchone()[0])

    def close(self) -> None:
        """Forget everything."""
        self._db.close()
        self._folder.cleanup()

    def _put(self, table: _Table, key: str, print_: bytes) -> None:
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, print_))

    def _print(self, table: _Table, key: str) -> bytes | None:
        found = self._db.execute(f"SELECT print FROM {table} WHERE key = ?", (key,)).fetchone()
        return None if found is None else bytes(found[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
