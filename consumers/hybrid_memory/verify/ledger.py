"""What the log says and what the index shows, memory by memory, in a database of this process alone.

It stands in a file without a name, which goes with the process; a million memories take some 200 MB of disk and little
memory. Texts are not in it, only their digests.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from hybrid_memory.schemas import Memory, Record, partition_of
from hybrid_memory.schemas.identity import split_fact_key
from hybrid_memory.sink.decode import read_fact, read_memory
from hybrid_memory.sink.terms import Fact, Write
from hybrid_memory.verify.differences import Kind, difference
from hybrid_memory.verify.states import NOTHING, Said, Shown, digest_of, labels_digest
from hybrid_memory.verify.views import KEYS

_T = TypeVar("_T")
_AT_ONCE = 500
_OPEN, _LEFT_OUT = 0, -1  # else the round in which it was compared
_SCHEMA = """
CREATE TABLE memory (
    key TEXT PRIMARY KEY, part INTEGER NOT NULL, seq INTEGER, digest TEXT, provided TEXT,
    round INTEGER NOT NULL, live INTEGER NOT NULL DEFAULT 0, kind TEXT, why TEXT
) WITHOUT ROWID;
CREATE TABLE fact (
    key TEXT, seq INTEGER, generation INTEGER, source TEXT, labels TEXT, PRIMARY KEY (key, seq, generation)
) WITHOUT ROWID;
CREATE INDEX open ON memory (key) WHERE round = 0;
"""
_READ = """
INSERT INTO memory (key, part, seq, digest, provided, round) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET seq = excluded.seq, digest = excluded.digest, provided = excluded.provided
"""
_NOTE = """
INSERT INTO memory (key, part, round, live, kind, why) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET round = excluded.round, live = excluded.live, kind = excluded.kind, why = excluded.why
"""
_BEST = """
SELECT key, generation, source, labels, MAX(generation) FROM fact JOIN memory USING (key, seq)
WHERE key IN ({marks}) GROUP BY key
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """How many memories of a partition the log has and the index shows, and how many were found to differ."""

    number: int
    log: int
    index: int
    differ: int


class Ledger:
    """Filled from the log by `memories` and `facts`, and compared with the index by `compare`. For one thread.

    Memories that are new to it are open: still to be compared. After `close_to_new` they are left out.
    """

    def __init__(self, partitions: int, topic_id: str) -> None:
        self._partitions, self._topic_id = partitions, topic_id
        self._new = _OPEN
        # No name: a temporary database on disk, of which the system takes care.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)

    def close(self) -> None:
        """Forget it all."""
        self._db.close()

    # the log

    def memories(self, records: Iterable[Record]) -> None:
        """Take in records of `memories`, in the order of their partitions."""
        for some in _chunks(records):
            with self._changes():
                for record in some:
                    self._memory(record)

    def facts(self, records: Iterable[Record]) -> None:
        """Take in records of `memories.classified`. All memories that they tell of must have been taken in."""
        for some in _chunks(records):
            with self._changes():
                for record in some:
                    self._fact(record)

    def _memory(self, record: Record) -> None:
        said, _ = read_memory(record, self._partitions, answered=True)
        if isinstance(said, Write):
            memory = said.event if isinstance(said.event, Memory) else None
            digest = None if memory is None else digest_of(memory)
            provided = None if memory is None or memory.classifiers is None else labels_digest(memory.classifiers)
            row = (said.key, record.partition, record.offset, digest, provided, self._new)
            self._db.execute(_READ, row)

    def _fact(self, record: Record) -> None:
        try:
            key, seq, generation = split_fact_key((record.key or b"").decode())
        except ValueError:
            return
        fact, _ = read_fact(record, self._partitions, self._topic_id, answered=True)
        if fact is None and record.value is None:
            self._db.execute("DELETE FROM fact WHERE (key, seq, generation) = (?, ?, ?)", (key, seq, generation))
        elif isinstance(fact, Fact):
            event = fact.event
            row = (key, seq, generation, event.provenance.source, labels_digest(event.classifiers))
            self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?, ?)", row)

    # the index

    def compare(
        self, number: int, asked: Iterable[str], shown: Iterable[Shown], provisional_before: int | None = None
    ) -> bool:
        """In this round (from 1), compare what is shown, and those keys that were asked for and are not; whether any
        differs.
        """
        points, differs = {point.key: point for point in shown}, False
        for some in _chunks(dict.fromkeys([*points, *asked])):
            said = self._said(some)
            with self._changes():
                for key in some:
                    point = points.get(key)
                    found = difference(said.get(key, NOTHING), point, provisional_before)
                    differs = differs or found is not None
                    self._note(key, number, point is not None and point.memory is not None, found)
        return differs

    def open(self) -> Iterator[list[str]]:
        """The keys that are open, some at a time."""
        last = ""
        query = f"SELECT key FROM memory WHERE round = {_OPEN} AND key > ? ORDER BY key LIMIT {KEYS}"
        while some := [row[0] for row in self._db.execute(query, (last,))]:
            yield some
            last = some[-1]

    def reopen(self, number: int, keys: Iterable[str], if_different: bool = False) -> None:
        """Those of these memories that this round compared (and found to differ) are open again."""
        query = f"UPDATE memory SET round = {_OPEN}, kind = NULL WHERE key = ? AND round = ?"
        with self._changes():
            self._db.executemany(query + " AND kind IS NOT NULL" * if_different, ((key, number) for key in keys))

    def close_to_new(self) -> None:
        """From now on, memories that are new are left out."""
        self._new = _LEFT_OUT

    def sample(self, count: int) -> None:
        """Leave out all but this many, by chance, and what is new from now on."""
        self.close_to_new()
        some = "SELECT key FROM memory ORDER BY random() LIMIT ?"
        self._db.execute(f"UPDATE memory SET round = {_LEFT_OUT} WHERE key NOT IN ({some})", (count,))

    # what came of it

    @property
    def memories_said(self) -> int:
        """How many memories the log has."""
        return self._count("digest IS NOT NULL")

    @property
    def compared(self) -> int:
        """How many memories, deleted ones too, were compared."""
        return self._count(f"round > {_OPEN}")

    @property
    def still_open(self) -> int:
        """How many are still to be compared."""
        return self._count(f"round = {_OPEN}")

    def partitions(self) -> list[Partition]:
        """Counts of each partition."""
        rows = self._db.execute(
            "SELECT part, COUNT(digest), SUM(live), COUNT(kind) FROM memory GROUP BY part ORDER BY part"
        )
        return [Partition(*row) for row in rows]

    def kinds(self) -> dict[Kind, int]:
        """How many differ, by how."""
        rows = self._db.execute("SELECT kind, COUNT(*) FROM memory WHERE kind IS NOT NULL GROUP BY kind ORDER BY kind")
        return dict(rows.fetchall())

    def examples(self, limit: int) -> list[tuple[str, Kind, str]]:
        """(key, how, why) of some that differ, of every kind."""
        rows = self._db.execute(
            "SELECT key, kind, why FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY key) AS place"
            " FROM memory WHERE kind IS NOT NULL) ORDER BY place, kind LIMIT ?",
            (limit,),
        )
        return rows.fetchall()

    def _said(self, keys: Sequence[str]) -> dict[str, Said]:
        marks = ",".join("?" * len(keys))
        best = {row[0]: row[1:4] for row in self._db.execute(_BEST.format(marks=marks), keys)}
        rows = self._db.execute(f"SELECT key, seq, digest, provided FROM memory WHERE key IN ({marks})", keys)
        return {key: Said(seq, digest, provided, best.get(key)) for key, seq, digest, provided in rows}

    def _note(self, key: str, number: int, live: bool, found: tuple[Kind, str] | None) -> None:
        kind, why = found or (None, None)
        self._db.execute(_NOTE, (key, partition_of(key, self._partitions), number, live, kind, why))

    def _count(self, where: str) -> int:
        [count] = self._db.execute(f"SELECT COUNT(*) FROM memory WHERE {where}").fetchone()
        return int(count)

    def _changes(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """Many changes at once: each for itself would cost ten times as much."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(self, *_: object) -> None:
        self._db.execute("COMMIT")


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    waiting = iter(items)
    while some := list(islice(waiting, _AT_ONCE)):
        yield some
