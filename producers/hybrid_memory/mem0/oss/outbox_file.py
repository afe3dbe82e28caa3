"""The outbox's file: made where there is none, known by its marks, refused where it is another's."""

import sqlite3
from pathlib import Path

from hybrid_memory.runtime.errors import Refusal

_APPLICATION = 0x686D6F62
"""SQLite's own field for whose a file is."""
_VERSION = 1
_BUSY_SECONDS = 1.0
_TABLES = (
    # A change without an owner is settled. One with an owner is being made, or nobody knows whether it was.
    "CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, memory_id TEXT NOT NULL, deleted INTEGER NOT NULL, "
    "record TEXT NOT NULL, owner TEXT)",
    "CREATE INDEX by_memory ON changes (memory_id)",
    "CREATE TABLE refused (seq INTEGER PRIMARY KEY, memory_id TEXT NOT NULL, record TEXT NOT NULL, reason TEXT)",
    "CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)


def open_file(path: Path, store: str) -> sqlite3.Connection:
    """A connection to the outbox of `store` (which Mem0 it is of), made where there is none.

    Raises:
        Refusal: the file cannot be written, is another program's, is of another Mem0, or of a later version of ours.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise Refusal(f"the outbox {path} cannot be opened ({_reason(error)}); give another path") from None
    try:
        _prepare(connection, path, store)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise Refusal(f"the outbox {path} cannot be used ({_reason(error)}); give another path") from None
    except Refusal:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, store: str) -> None:
    if not _is_ours(connection, path):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not _is_ours(connection, path):  # nobody was first
            _make(connection, store)
        connection.execute("COMMIT")
    (known,) = connection.execute("SELECT value FROM about WHERE name = 'store'").fetchone()
    if known != store:
        raise Refusal(f"the outbox {path} is that of {known}, not of {store}; give each its own")
    # A crash of the process loses nothing; of the machine, at most the last moments, as Kafka's own log may.
    connection.execute("PRAGMA synchronous=NORMAL")
    # Checkpoints wait for the disk: they are the drainer's, never a caller's.
    connection.execute("PRAGMA wal_autocheckpoint=0")


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION and (tables or application or version):
        raise Refusal(f"{path} is another program's database, not an outbox; give another path")
    if application == _APPLICATION and version != _VERSION:
        raise Refusal(f"the outbox {path} is of version {version}, which is not known here; update hybrid-memory")
    return bool(application == _APPLICATION)


def _make(connection: sqlite3.Connection, store: str) -> None:
    for statement in _TABLES:
        connection.execute(statement)
    connection.executemany("INSERT INTO about VALUES (?, ?)", [("store", store), ("missed", 0)])
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
