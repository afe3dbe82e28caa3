"""A run of `hm publish`, apart from its terminal."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Self

import pytest

from hybrid_memory.client.lines import read_lines
from hybrid_memory.client.publishing import Publishing
from hybrid_memory.runtime.errors import Refusal, Unavailable

if TYPE_CHECKING:
    from tests.unit.client.conftest import Log


class Notes:
    """Keeps what a progress display would show."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.last: tuple[int, int] = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def advance(self, bytes_read: int, done: int) -> None:
        self.last = (bytes_read, done)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def run(log: Log, notes: Notes, data: bytes, user_id: str | None = None) -> Publishing:
    work = Publishing(log, notes, user_id)
    work.run(read_lines(io.BytesIO(data)))
    return work


def good(count: int) -> bytes:
    return b"".join(json.dumps({"user_id": "u", "text": f"memory {i}"}).encode() + b"\n" for i in range(count))


def test_a_bad_line_is_told_and_the_rest_goes_on(log: Log, notes: Notes) -> None:
    data = b'{"text": "a"}\nnonsense\n\n{"text": ""}\n{"memory_id": "m", "deleted": true}\n{"text": "b"}'
    work = run(log, notes, data, "u")
    assert (work.published, work.deleted, work.failed, work.resume_from_line) == (2, 1, 2, None)
    assert [note.partition(":")[0] for note in notes.notes] == ["line 2", "line 4"]
    assert "text: String should have at least 1 character" in notes.notes[1]
    assert notes.last == (len(data), 3)
    assert [record.value is None for record in log.records] == [False, True, False]


def test_the_summary_for_programs(log: Log, notes: Notes) -> None:
    summary = run(log, notes, good(3)).summary()
    assert summary["seconds"] >= 0
    assert summary["per_second"] > 0
    assert {name: summary[name] for name in ("published", "deleted", "failed", "resume_from_line")} == {
        "published": 3,
        "deleted": 0,
        "failed": 0,
        "resume_from_line": None,
    }


def test_reading_ends_when_kafka_is_away(log: Log, notes: Notes) -> None:
    log.fails = lambda n: Unavailable("away") if n >= 3 else None
    work = run(log, notes, good(100))
    assert (work.published, work.resume_from_line) == (3, 4)
    assert 1 <= work.failed < 5
    assert notes.notes[0] == "line 4: away"


def test_one_that_kafka_refuses_does_not_end_it(log: Log, notes: Notes) -> None:
    log.fails = lambda n: Refusal("too large") if n == 3 else None
    work = run(log, notes, good(100))
    assert (work.published, work.failed, work.resume_from_line) == (99, 1, None)


def test_when_kafka_refuses_all_it_ends(log: Log, notes: Notes) -> None:
    log.fails = lambda n: Refusal("no right") if n >= 3 else None
    work = run(log, notes, good(1000))
    assert (work.published, work.resume_from_line) == (3, 4)
    assert 10 <= work.failed < 15


def test_memory_is_bounded(log: Log, notes: Notes) -> None:
    """Lines are read only as they are taken."""
    stream = io.BytesIO(good(5000))
    log.fails = lambda n: Unavailable("away")
    Publishing(log, notes).run(read_lines(stream))
    assert stream.tell() < 1000
