"""The outbox: order, doubts, room, and whose file it is."""

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_memory.mem0.oss.errors import OutboxFull
from hybrid_memory.mem0.oss.outbox import NOTHING, Change, Outbox
from hybrid_memory.runtime.errors import Refusal

STORE = "qdrant at here, collection mem0"
MIB = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    made = Outbox(path, STORE, MIB)
    yield made
    made.close()


def change(memory_id: str, text: str = "text", deleted: bool = False) -> Change:
    return Change(memory_id, deleted, json.dumps({"data": text}))


def waiting(outbox: Outbox) -> list[Change]:
    return [row.change for row in outbox.ready(10_000)]


def test_what_is_settled_waits_in_order(outbox: Outbox) -> None:
    first, second = outbox.begin([change("a")]), outbox.begin([change("b")])
    assert waiting(outbox) == []
    outbox.settle(second)
    outbox.settle(first)
    assert waiting(outbox) == [change("a"), change("b")]
    outbox.done(first)
    assert waiting(outbox) == [change("b")]


def test_what_was_never_settled_is_in_doubt_for_the_next(path: Path) -> None:
    dead = Outbox(path, STORE, MIB)
    seqs = dead.begin([change("a"), change("b")])
    dead.settle(seqs[1:])
    assert dead.doubts(9) == []  # it is being made
    with_doubts = Outbox(path, STORE, MIB)
    assert with_doubts.doubts(9) == []  # by somebody who lives
    dead.close()
    with_doubts.adopt()
    assert [row.change for row in with_doubts.doubts(9)] == [change("a")]
    with_doubts.correct(seqs[:1], [change("a", "now")])
    assert (waiting(with_doubts), with_doubts.doubts(9)) == ([change("b"), change("a", "now")], [])
    with_doubts.close()


def test_a_later_change_ends_a_doubt(outbox: Outbox) -> None:
    outbox.doubt(outbox.begin([change("a", "maybe"), change("b", "maybe")]))
    outbox.settle(outbox.begin([change("a", "surely")]))
    assert [row.change for row in outbox.doubts(9)] == [change("b", "maybe")]
    assert outbox.status().in_doubt == 1


def test_what_is_suspected_is_in_doubt(outbox: Outbox) -> None:
    outbox.suspect(["a", "b"])
    assert [row.change for row in outbox.doubts(1)] == [Change("a", False, NOTHING)]
    assert waiting(outbox) == []


def test_a_full_outbox_takes_deletions_alone(path: Path) -> None:
    outbox = Outbox(path, STORE, 100_000)
    outbox.settle(outbox.begin([change(f"m{number}", "x" * 1000) for number in range(100)]))
    with pytest.raises(OutboxFull, match=r"is full \(100,000 bytes\)"):
        outbox.begin([change("one more")])
    full = len(waiting(outbox))
    outbox.settle(outbox.begin([change("m0", deleted=True)]))
    assert not outbox.has_room()
    # The older change of the same memory makes way.
    assert (len(waiting(outbox)), waiting(outbox)[-1].deleted) == (full, True)
    outbox.done(row.seq for row in outbox.ready(10_000))
    assert outbox.has_room()
    outbox.settle(outbox.begin([change("a")]))
    outbox.close()


def test_where_room_is_scarce_only_the_last_of_a_memory_counts(path: Path) -> None:
    outbox = Outbox(path, STORE, 100_000)
    for number in range(1000):
        outbox.settle(outbox.begin([change("m", "x" * 1000 + str(number))]))
    assert waiting(outbox)[-1] == change("m", "x" * 1000 + "999")
    outbox.close()


def test_what_was_missed_is_forgotten_only_when_nothing_was_missed_since(outbox: Outbox) -> None:
    outbox.miss()
    seen = outbox.missed()
    outbox.miss()
    outbox.read_again(seen)
    assert outbox.missed() == 2
    outbox.read_again(2)
    assert outbox.missed() == 0


def test_what_cannot_be_published_is_put_aside(outbox: Outbox) -> None:
    outbox.settle(outbox.begin([change("a"), change("b")]))
    outbox.refuse([(outbox.ready(1)[0], "it is nobody's")])
    assert waiting(outbox) == [change("b")]
    assert outbox.status().refused == 1


def test_one_process_at_a_time_publishes(path: Path, outbox: Outbox) -> None:
    other = Outbox(path, STORE, MIB)
    right = outbox.draining()
    assert right is not None
    assert other.draining() is None
    right.release()
    took = other.draining()
    assert took is not None
    took.release()
    other.close()


def test_a_forked_child_goes_on_with_a_connection_of_its_own(outbox: Outbox) -> None:
    pid = os.fork()
    if not pid:
        outbox.settle(outbox.begin([change("child")]))
        outbox.begin([change("cut off")])
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    outbox.adopt()
    assert waiting(outbox) == [change("child")]
    assert [row.change for row in outbox.doubts(9)] == [change("cut off")]


def test_a_file_without_sqlite_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("Dear diary, " * 100)
    with pytest.raises(Refusal, match="cannot be used \\(file is not a database\\); give another path"):
        Outbox(path, STORE, MIB)
    assert path.read_text() == "Dear diary, " * 100


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE history (id TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(Refusal, match="is another program's database, not an outbox; give another path"):
        Outbox(path, STORE, MIB)
    assert path.read_bytes() == before


def test_the_outbox_of_another_mem0_is_refused(path: Path, outbox: Outbox) -> None:
    with pytest.raises(Refusal, match="is that of qdrant at here, collection mem0, not of pgvector"):
        Outbox(path, "pgvector", MIB)


def test_an_outbox_of_a_later_version_is_refused(path: Path) -> None:
    Outbox(path, STORE, MIB).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(Refusal, match="is of version 7"):
        Outbox(path, STORE, MIB)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="cannot be opened"):
        Outbox(tmp_path / "file" / "outbox.sqlite", STORE, MIB)


IDS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(IDS), st.booleans(), st.sampled_from(["done", "failed", "crash"])),
        st.tuples(st.just("drain"), st.integers(1, 4), st.sampled_from(["done", "crash"])),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(STEPS, st.sampled_from([MIB, 40_000]))
def test_in_whatever_order_and_however_it_dies_the_log_ends_as_the_store(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]], room: int
) -> None:
    """A store, an outbox, a log; every step may be the last of its process. In the end the last that the log says of
    each memory is what the store says."""
    path = tmp_path_factory.mktemp("outbox") / "outbox.sqlite"
    store: dict[str, int] = {}
    log: list[tuple[str, int | None]] = []
    outbox, version = Outbox(path, STORE, room), 0

    def clear_up() -> None:
        if missed := outbox.missed():
            outbox.suspect(list(store))
            outbox.read_again(missed)
        for row in outbox.doubts(100):
            memory_id = row.change.memory_id
            if memory_id in store:
                outbox.correct([row.seq], [said(memory_id, store[memory_id])])
            else:
                outbox.correct([row.seq], [] if row.change.record == NOTHING else [said(memory_id, None)])

    def drain(limit: int, forget: bool = False) -> int:
        rows = outbox.ready(limit)
        log.extend((row.change.memory_id, json.loads(row.change.record)["v"]) for row in rows)
        if not forget:
            outbox.done(row.seq for row in rows)
        return len(rows)

    for step in steps:
        crash = step[-1] == "crash"
        if step[0] == "drain":
            drain(int(str(step[1])), forget=crash)
        else:
            memory_id, deleted = str(step[1]), bool(step[2])
            version += 1
            value = None if deleted else version
            try:
                seqs: list[int] | None = outbox.begin([said(memory_id, value, deleted, "x" * 3000)])
            except OutboxFull:
                outbox.miss()
                seqs = None
            # What fails, or is cut off, may have reached the store or not.
            if step[-1] == "done" or version % 2:
                store.pop(memory_id, None)
                store.update({} if value is None else {memory_id: value})
            if step[-1] == "done":
                outbox.miss() if seqs is None else outbox.settle(seqs)
            elif step[-1] == "failed":
                outbox.doubt(seqs or ())
        if crash:
            outbox.close()
            outbox = Outbox(path, STORE, room)
    while outbox.missed() or outbox.doubts(1) or outbox.ready(1):
        clear_up()
        drain(100)
    outbox.close()
    assert {memory_id: v for memory_id, v in dict(log).items() if v is not None} == store


def said(memory_id: str, version: int | None, deleted: bool | None = None, padding: str = "") -> Change:
    gone = version is None if deleted is None else deleted
    return Change(memory_id, gone, json.dumps({"v": version, "data": padding}))
