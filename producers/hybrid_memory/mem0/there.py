"""What `memories` says of one Mem0's memories: on disk, so that millions fit.

A hundred thousand memories cost about 18 MB of disk in the temporary folder, and at most 24 MB of memory.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hybrid_memory.mem0.decide import Held, Pinned
from hybrid_memory.mem0.mapping import SOURCE, Rule, fingerprint, origin_of
from hybrid_memory.schemas import DecodeError, Memory, Record, decode_memory, if_seq, split_memory_key

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -24576;
CREATE TABLE held (memory TEXT, user TEXT, seq INTEGER, print BLOB, pinned TEXT, PRIMARY KEY (memory, user))
    WITHOUT ROWID
"""


class There:
    """A table in a temporary file, gone when closed. Belongs to one thread.

    What cannot be read, and what fails its `hm-if-seq`, changes nothing, as in the index: the sink appends the present
    state again, and that is then read too.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._folder = TemporaryDirectory(prefix="hm-mem0-", ignore_cleanup_errors=True)
        self._db = sqlite3.connect(Path(self._folder.name) / "there.sqlite", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def apply(self, record: Record) -> None:
        """The next record of `memories`, of whatever source."""
        try:
            user_id, memory_id = split_memory_key((record.key or b"").decode())
        except ValueError:
            return
        before = self._one(memory_id, user_id)
        # Reading all of a memory takes fifty times as long as seeing that it is none of Mem0's.
        if before is None and (record.value is None or SOURCE.encode() not in record.value):
            return
        try:
            event, condition = decode_memory(record), if_seq(record)
        except DecodeError:
            return
        memory = event if isinstance(event, Memory) else None
        if before is None and (memory is None or not self._is_ours(memory)):
            return
        if before is None or condition is None or before.seq <= condition:
            self._put(user_id, memory_id, record.offset, memory)

    def held(self, memory_id: str) -> list[Held]:
        """What it says of all keys with this id, deleted ones too."""
        found = self._db.execute("SELECT user, seq, print, pinned FROM held WHERE memory = ?", (memory_id,))
        return [_held(*row) for row in found]

    def live(self) -> Iterator[tuple[str, str]]:
        """(user, memory) of all that are held, without the deleted ones."""
        yield from self._db.execute("SELECT user, memory FROM held WHERE print IS NOT NULL")

    def count(self) -> int:
        """How many memories are held, without the deleted ones."""
        return int(self._db.execute("SELECT count(*) FROM held WHERE print IS NOT NULL").fetchone()[0])

    def clear(self) -> None:
        """Nothing is known any more."""
        self._db.execute("DELETE FROM held")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
        self._folder.cleanup()

    def _is_ours(self, memory: Memory) -> bool:
        """Another project's memories, or those of an open-source Mem0, are not ours to delete."""
        return memory.source == SOURCE and origin_of(memory) in (None, self.rule.origin)

    def _one(self, memory_id: str, user_id: str) -> Held | None:
        query = "SELECT user, seq, print, pinned FROM held WHERE memory = ? AND user = ?"
        row = self._db.execute(query, (memory_id, user_id)).fetchone()
        return None if row is None else _held(*row)

    def _put(self, user_id: str, memory_id: str, seq: int, memory: Memory | None) -> None:
        pinned = None
        if memory is not None and memory.pinned and memory.classifiers:
            pinned = json.dumps([memory.text, *memory.classifiers])
        row = (memory_id, user_id, seq, None if memory is None else fingerprint(memory, self.rule), pinned)
        self._db.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?)", row)


def _held(user_id: str, seq: int, print_: bytes | None, pinned: str | None) -> Held:
    text, *classifiers = json.loads(pinned) if pinned else [""]
    return Held(user_id, seq, print_, Pinned(text, tuple(classifiers)) if pinned else None)
