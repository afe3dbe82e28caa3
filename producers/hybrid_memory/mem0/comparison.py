"""How what the log holds differs from what Mem0 lists: on disk, so that millions fit.

A hundred thousand memories cost about 12 MB of disk in the temporary folder, and at most 24 MB of memory.
"""

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from hybrid_memory.mem0.mapping import differing, fingerprint
from hybrid_memory.mem0.there import There
from hybrid_memory.schemas import Memory, memory_key, split_memory_key

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -24576;
CREATE TABLE met (key TEXT PRIMARY KEY, print BLOB) WITHOUT ROWID;
CREATE TABLE hinted (key TEXT PRIMARY KEY, print BLOB) WITHOUT ROWID
"""

Kind = Literal["missing", "different", "gone", "refused"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mem0 has a memory that the log has not (missing) or has otherwise (different), the log has one that Mem0 has not
    (gone), or Mem0's cannot be a memory here (refused). `what`: the fields that differ, or why it is refused.
    `hinted`: a hint that says all this waits for the publisher already."""

    kind: Kind
    user_id: str
    memory_id: str
    what: str = ""
    hinted: bool = False


class Comparison:
    """One round: what Mem0 lists is met, one memory after another, and what was not met is gone. Its tables are a
    temporary file, gone when closed; they belong to one thread."""

    def __init__(self, there: There) -> None:
        self._there = there
        self._folder = TemporaryDirectory(prefix="hm-mem0-", ignore_cleanup_errors=True)
        self._db = sqlite3.connect(Path(self._folder.name) / "met.sqlite", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def wait_for(self, memory: Memory) -> None:
        """A hint that carries this waits for the publisher."""
        self._put("hinted", memory.key, fingerprint(memory, self._there.rule))

    def meet(self, memory: Memory) -> Difference | None:
        """Mem0 has this; how it differs from what the log has. What was met like this before says nothing."""
        theirs = fingerprint(memory, self._there.rule)
        if self._print("met", memory.key) == theirs:
            return None
        self._put("met", memory.key, theirs)
        held = self._there.held(memory.memory_id)
        ours = next((one.print for one in held if one.user_id == memory.user_id), None)
        if ours == theirs:
            return None
        kind: Kind = "missing" if ours is None else "different"
        what = "" if ours is None else ", ".join(differing(ours, theirs))
        hinted = self._print("hinted", memory.key) == theirs
        return Difference(kind, memory.user_id, memory.memory_id, what, hinted)

    def pass_over(self, memory_id: str) -> None:
        """Mem0 has this, but it cannot be a memory here; whatever the log has of it is not gone."""
        self._put("met", _passed_over(memory_id), b"")

    def gone(self, users: Collection[str] | None = None) -> Iterator[Difference]:
        """What the log has, or will have by a hint that waits, and was not met: of these users of ours, or of all."""
        for user_id, memory_id in chain(self._there.live(), self._hinted()):
            if (users is None or user_id in users) and not self._was_met(user_id, memory_id):
                yield Difference("gone", user_id, memory_id)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
        self._folder.cleanup()

    def _was_met(self, user_id: str, memory_id: str) -> bool:
        keys = (memory_key(user_id, memory_id), _passed_over(memory_id))
        return any(self._print("met", key) is not None for key in keys)

    def _hinted(self) -> Iterator[tuple[str, str]]:
        """What hints carry that the log does not have."""
        for (key,) in self._db.execute("SELECT key FROM hinted"):
            user_id, memory_id = split_memory_key(key)
            if all(one.user_id != user_id or one.print is None for one in self._there.held(memory_id)):
                yield user_id, memory_id

    def _put(self, table: Literal["met", "hinted"], key: str, print_: bytes) -> None:
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, print_))

    def _print(self, table: Literal["met", "hinted"], key: str) -> bytes | None:
        found = self._db.execute(f"SELECT print FROM {table} WHERE key = ?", (key,)).fetchone()
        return None if found is None else bytes(found[0])


def _passed_over(memory_id: str) -> str:
    """No memory's key: those begin with a user."""
    return f"/{memory_id}"
