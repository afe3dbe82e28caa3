"""Looks at partitions on the real broker: begun before they are taken, given up, ended."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from hybrid_memory.replay.duty import Left
from hybrid_memory.replay.flying import Flying
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.looking import Look, Looking, Place
from hybrid_memory.replay.run import work
from hybrid_memory.replay.scan import Beat, Scan
from hybrid_memory.replay.starting import ReplayRequest, start_replay, topics_of
from hybrid_memory.runtime.reading import Log
from hybrid_memory.schemas import MEMORIES, Record
from tests.integration.replay.world import ReplayWorld, known
from tests.stream_process import Manner


def silent() -> None:
    """A beat that lets everything go on."""


@pytest.fixture
def job(log: ReplayWorld) -> Job:
    log.add(*(f"m{number} text" for number in range(40)))
    return start_replay(log.settings, ReplayRequest())


@pytest.fixture
def looking(log: ReplayWorld, job: Job) -> Iterator[Looking]:
    made = Looking(log.settings, job.definition, topics_of(Log(log.settings)))
    yield made
    made.close()


def test_a_look_that_was_begun_is_the_one_that_is_taken(log: ReplayWorld, job: Job, looking: Looking) -> None:
    place = Place.of(job, 1)
    begun = looking.begin(place)
    assert looking.begin(place) is begun
    look = looking.take(place, silent)
    assert look is begun.result()
    records = [record for records in look.reads for record in records]
    assert [record.offset for record in records] == list(range(place.begin, place.end))
    assert all(look.scan.is_last(record) for record in records)
    look.close()
    again = looking.take(place, silent)
    assert again is not look
    again.close()


def test_another_place_gives_it_up(job: Job, looking: Looking) -> None:
    given_up = looking.begin(Place.of(job, 1)).result()
    looking.take(Place.of(job, 0), silent).close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        given_up.scan.is_last(Record(MEMORIES, 1, 0, 0, b"ann/m1", None))


def test_what_a_beat_raises_ends_it(job: Job, looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever(scan: Scan, filters: object, begin: int, end: int, results: int, beat: Beat) -> None:
        while True:
            beat()

    def beat() -> None:
        raise Left

    monkeypatch.setattr(Scan, "look", for_ever)
    with pytest.raises(Left):
        looking.take(Place.of(job, 0), beat)
    looking.close()  # would wait for it


def test_the_next_partition_is_looked_at_while_batches_are_in_flight(
    log: ReplayWorld, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    begin, ended = Looking.begin, Flying.ended

    def begun(self: Looking, place: Place) -> Future[Look]:
        happened.append(f"look at {place.partition}")
        return begin(self, place)

    def delivered(self: Flying) -> None:
        happened.append("delivered")
        ended(self)

    monkeypatch.setattr(Looking, "begin", begun)
    monkeypatch.setattr(Flying, "ended", delivered)
    work(log.settings, job.id, known(Manner(batch_size=4)))
    assert happened[:2] == ["look at 0", "look at 1"]
    assert happened.count("delivered") >= 10
