"""Reads Mem0's history file while Mem0 writes it, and is never in its way.

Mem0's connection gives up after five seconds when a reader holds the file. So: opened for reading alone, a bounded
number of rows at a time, all of them fetched in one short transaction, and nothing held in between.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hybrid_memory.runtime.errors import Refusal, Unavailable

_COLUMNS = {"id", "memory_id", "event"}
_BUSY_SECONDS = 1.0
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the history: its number and its id. Without a number: before the first."""

    number: int = 0
    row: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """The memories of the rows after a place, and the place behind them. `lost`: the place itself is not there any
    more, since Mem0 was reset or its file was made anew."""

    memory_ids: tuple[str, ...]
    place: Place
    lost: bool = False


class History:
    """Mem0's `history_db_path`."""

    def __init__(self, path: Path) -> None:
        """Look whether it is one.

        Raises:
            Refusal: there is no file, or it is no history of Mem0's.
        """
        self._path = path
        if not path.is_file():
            raise Refusal(f"there is no file {path}; give Mem0's history_db_path (by default ~/.mem0/history.db)")
        try:
            with self._opened() as db:
                columns = {name for _, name, *_ in db.execute("PRAGMA table_info(history)")}
        except sqlite3.Error as error:
            raise Refusal(f"{path} cannot be read as Mem0's history: {error}") from None
        if not columns >= _COLUMNS:
            raise Refusal(f"{path} is no history of Mem0's: it has no table history with {', '.join(sorted(_COLUMNS))}")

    def since(self, place: Place) -> News:
        """What was written after a place, in order: a bounded number of rows.

        Raises:
            Unavailable: Mem0 is writing for longer than a second, or has to mend its file first; ask again.
        """
        rows = "SELECT rowid, id, memory_id FROM history WHERE rowid > ? ORDER BY rowid LIMIT ?"
        with self._read() as db:
            if place.number and self._row(db, place.number) != place.row:
                return News((), Place(), lost=True)
            found = db.execute(rows, (place.number, _BATCH)).fetchall()
        end = Place(found[-1][0], found[-1][1]) if found else place
        return News(tuple(dict.fromkeys(memory_id for _, _, memory_id in found if memory_id)), end)

    def end(self) -> Place:
        """The place behind all rows. Raises as `since`."""
        with self._read() as db:
            last = db.execute("SELECT rowid, id FROM history ORDER BY rowid DESC LIMIT 1").fetchone()
        return Place(*last) if last else Place()

    @staticmethod
    def _row(db: sqlite3.Connection, number: int) -> str | None:
        found = db.execute("SELECT id FROM history WHERE rowid = ?", (number,)).fetchone()
        return None if found is None else str(found[0])

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._opened() as db:
                db.execute("BEGIN")
                yield db
        except sqlite3.Error as error:
            raise Unavailable(f"Mem0's history {self._path} cannot be read now: {error}") from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Anew each time: a file that was replaced is then seen as the other one that it is."""
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            yield db
        finally:
            db.close()
