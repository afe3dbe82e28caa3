"""Changes that are on their way to Kafka, on disk, in the order in which they were made.

A change is begun before Mem0's store is touched and settled afterwards. One that was begun and never settled, because
the process died or the store failed, is in doubt: whoever opens the outbox next asks the store how the memory is.
Several processes of one machine may share an outbox.
"""

import os
import sqlite3
import threading
import uuid
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hybrid_memory.mem0.oss.errors import OutboxFull
from hybrid_memory.mem0.oss.held import Held
from hybrid_memory.mem0.oss.outbox_file import open_file

_ALIVE = ".alive-"
_SETTLED = "SELECT seq, memory_id, deleted, record FROM changes WHERE owner IS NULL ORDER BY seq LIMIT ?"
_DOUBTED = "SELECT seq, memory_id, deleted, record FROM changes WHERE owner = ? ORDER BY seq LIMIT ?"
_INSERT = "INSERT INTO changes (memory_id, deleted, record, owner) VALUES (?, ?, ?, ?)"


NOTHING = ""
"""The record of a memory that is only suspected of having changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A memory became what `record` says (JSON), or is gone and was that before."""

    memory_id: str
    deleted: bool
    record: str


@dataclass(frozen=True, slots=True)
class Row:
    """A change and its number; a higher one is later."""

    seq: int
    change: Change


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How many changes wait, are in doubt or cannot be published; how often some were missed; bytes in use."""

    waiting: int
    in_doubt: int
    refused: int
    missed: int
    size: int


class Outbox:
    """Thread-safe; a forked child may go on using it.

    Raises (any call):
        OutboxFull: there is no room, or the disk does not take it.
    """

    def __init__(self, path: Path, store: str, max_bytes: int) -> None:
        """Open it. `store` says which Mem0 it is of; beyond `max_bytes` no additions or updates are taken.

        Raises:
            Refusal: the file cannot be used.
        """
        self._path, self._store, self._max_bytes = path, store, max_bytes
        self._crowded = False
        self._open()
        _OPEN.add(self)
        self.adopt()

    def _open(self) -> None:
        self._guard = threading.Lock()
        self._flying: set[int] = set()
        self._db = open_file(self._path, self._store)
        self._owner, self._life = self._live()

    def _reopen(self) -> None:
        # What a forked child has is the parent's: the lock may be held, and SQLite's must not even be closed there.
        self._parents = self._db, self._life
        self._open()

    def begin(self, changes: Sequence[Change]) -> list[int]:
        """Keep changes that are about to be made. Until they are settled they are in doubt."""
        with self._written() as db:
            if not all(change.deleted for change in changes) and self._is_full(db):
                raise OutboxFull(f"the outbox {self._path} is full ({self._max_bytes:,} bytes)")
            seqs = [_inserted(db, change, self._owner) for change in changes]
            self._flying.update(seqs)
        return seqs

    def settle(self, seqs: Sequence[int]) -> None:
        """They were made: to be published, and earlier doubts about these memories are over."""
        with self._written() as db:
            for seq in seqs:
                db.execute("UPDATE changes SET owner = NULL WHERE seq = ?", (seq,))
                self._forget_earlier(db, seq)
        self._flying.difference_update(seqs)

    def correct(self, seqs: Sequence[int], found: Iterable[Change]) -> None:
        """Instead of these, what the store said later is to be published."""
        with self._written() as db:
            db.executemany("DELETE FROM changes WHERE seq = ?", [(seq,) for seq in seqs])
            for change in found:
                self._forget_earlier(db, _inserted(db, change, None))
        self._flying.difference_update(seqs)

    def doubt(self, seqs: Sequence[int]) -> None:
        """Nobody knows whether they were made; `doubts` has them from now on."""
        self._flying.difference_update(seqs)

    def suspect(self, memory_ids: Iterable[str]) -> None:
        """Nobody knows how these memories are, but that they were there."""
        with self._written() as db:
            for memory_id in memory_ids:
                _inserted(db, Change(memory_id, False, NOTHING), self._owner)

    def doubts(self, limit: int) -> list[Row]:
        """The first changes of ours, or of processes that died, of which nobody knows whether they were made."""
        with self._guard:
            found = self._db.execute(_DOUBTED, (self._owner, limit + len(self._flying))).fetchall()
            return [row for row in _rows(found) if row.seq not in self._flying][:limit]

    def ready(self, limit: int) -> list[Row]:
        """The first settled changes."""
        with self._guard:
            return _rows(self._db.execute(_SETTLED, (limit,)).fetchall())

    def done(self, seqs: Iterable[int]) -> None:
        """They are published."""
        with self._written() as db:
            db.executemany("DELETE FROM changes WHERE seq = ?", [(seq,) for seq in seqs])

    def refuse(self, rows: Iterable[tuple[Row, str]]) -> None:
        """They can never be published, for this reason: kept aside."""
        with self._written() as db:
            for row, reason in rows:
                kept = (row.seq, row.change.memory_id, row.change.record, reason)
                db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?)", kept)
                db.execute("DELETE FROM changes WHERE seq = ?", (row.seq,))

    def miss(self) -> None:
        """Changes were made that are not here: what the store holds has to be read again."""
        with self._written() as db:
            db.execute("UPDATE about SET value = value + 1 WHERE name = 'missed'")

    def missed(self) -> int:
        """How often `miss` was called since all was read again; 0: nothing is missing."""
        with self._guard:
            return int(self._db.execute("SELECT value FROM about WHERE name = 'missed'").fetchone()[0])

    def read_again(self, missed: int) -> None:
        """All that had been missed when `missed` said so much is here now."""
        with self._written() as db:
            db.execute("UPDATE about SET value = 0 WHERE name = 'missed' AND value = ?", (missed,))

    def has_room(self) -> bool:
        """Whether half of it is free."""
        with self._guard:
            return self._used(self._db) < self._max_bytes // 2

    def checkpoint(self) -> None:
        """Move what was written into the main file; waits for the disk, and holds up nobody."""
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.OperationalError:
            pass  # another time
        finally:
            connection.close()

    def draining(self) -> Held | None:
        """The right to publish from it; None while another process has it."""
        return Held.take(self._path.with_name(self._path.name + ".drain"))

    def status(self) -> OutboxStatus:
        """Counted now."""
        with self._guard:
            settled, owned = self._db.execute("SELECT count(*) - count(owner), count(owner) FROM changes").fetchone()
            (refused,) = self._db.execute("SELECT count(*) FROM refused").fetchone()
            (missed,) = self._db.execute("SELECT value FROM about WHERE name = 'missed'").fetchone()
            return OutboxStatus(settled, owned - len(self._flying), refused, missed, self._used(self._db))

    def close(self) -> None:
        """Let go. What waits stays on disk."""
        _OPEN.discard(self)
        with self._guard:
            self._db.close()
        self._life.release()
        self._file_of(self._owner).unlink(missing_ok=True)

    def _live(self) -> tuple[str, Held]:
        """A name for what we begin, and the lock that says that we live."""
        while True:
            owner = uuid.uuid4().hex[:12]
            if life := Held.take(self._file_of(owner)):
                return owner, life

    def adopt(self) -> None:
        """Take over what dead processes have begun."""
        for owner in self._owners() - {self._owner}:
            if life := Held.take(self._file_of(owner)):
                with self._written() as db:
                    db.execute("UPDATE changes SET owner = ? WHERE owner = ?", (self._owner, owner))
                life.release()
                self._file_of(owner).unlink(missing_ok=True)

    def _owners(self) -> set[str]:
        with self._guard:
            found = self._db.execute("SELECT DISTINCT owner FROM changes WHERE owner IS NOT NULL").fetchall()
        files = self._path.parent.glob(f"{self._path.name}{_ALIVE}*")
        return {owner for (owner,) in found} | {path.name.rpartition(_ALIVE)[2] for path in files}

    def _file_of(self, owner: str) -> Path:
        return self._path.with_name(f"{self._path.name}{_ALIVE}{owner}")

    def _forget_earlier(self, db: sqlite3.Connection, seq: int) -> None:
        """Earlier doubts about the memory of `seq` do not matter any more; where room is scarce, nor does anything."""
        (memory_id,) = db.execute("SELECT memory_id FROM changes WHERE seq = ?", (seq,)).fetchone()
        db.execute("DELETE FROM changes WHERE memory_id = ? AND owner = ? AND seq < ?", (memory_id, self._owner, seq))
        if self._crowded:
            db.execute("DELETE FROM changes WHERE memory_id = ? AND owner IS NULL AND seq < ?", (memory_id, seq))

    def _is_full(self, db: sqlite3.Connection) -> bool:
        used = self._used(db)
        self._crowded = used > self._max_bytes // 2
        return used >= self._max_bytes

    @staticmethod
    def _used(db: sqlite3.Connection) -> int:
        (pages,), (free,), (size,) = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whole or not at all."""
        with self._guard:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise OutboxFull(f"the outbox {self._path} cannot be written: {error}") from error


def _inserted(db: sqlite3.Connection, change: Change, owner: str | None) -> int:
    seq = db.execute(_INSERT, (change.memory_id, change.deleted, change.record, owner)).lastrowid
    assert seq is not None
    return seq


def _rows(found: Iterable[tuple[int, str, int, str]]) -> list[Row]:
    return [Row(seq, Change(memory_id, bool(deleted), record)) for seq, memory_id, deleted, record in found]


_OPEN: "weakref.WeakSet[Outbox]" = weakref.WeakSet()


def _after_fork() -> None:
    for outbox in list(_OPEN):
        outbox._reopen()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
