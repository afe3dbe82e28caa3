"""What is known of a job, how fast it goes, and what is asked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.replay.display import Speed, duration
from hybrid_memory.replay.job import SILENT, Job, Jobs
from hybrid_memory.replay.latest import Known, Latest
from hybrid_memory.replay.pace import Pace, share_of
from hybrid_memory.replay.request import request_of
from hybrid_memory.replay.showing import print_jobs
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import NewRecord, Record
from hybrid_memory.schemas.replays import (
    ReplayClassifier,
    ReplayDefinition,
    ReplayEvent,
    ReplayOutcome,
    ReplayProgress,
    ReplayRange,
    ReplayStatus,
    ReplayWanted,
    State,
    Wanted,
    encode_replay,
    encode_taken_back,
)

NOW = datetime(2026, 8, 1, tzinfo=UTC)


def definition(*ends: int, rate: float | None = None) -> ReplayDefinition:
    ranges = tuple(ReplayRange(partition=number, start=0, end=end) for number, end in enumerate(ends))
    return ReplayDefinition(
        job="job", created=NOW, topic_id="t", ranges=ranges, classifier=ReplayClassifier(kind="rules"), generation=2,
        rate=rate,
    )  # fmt: skip


def progress(partition: int, position: int, done: bool = False) -> ReplayProgress:
    return ReplayProgress(job="job", partition=partition, next=position, done=done, at=NOW)


def status(state: State, ago: timedelta = timedelta(0)) -> ReplayStatus:
    return ReplayStatus(job="job", partition=0, worker="here:1", state=state, at=NOW - ago)


events = st.one_of(
    st.builds(progress, st.integers(0, 2), st.integers(0, 9), st.booleans()),
    st.sampled_from(["running", "paused", "cancelled"]).map(
        lambda wanted: ReplayWanted.model_validate({"job": "job", "wanted": wanted, "at": NOW})
    ),
    st.sampled_from(["running", "braked", "left"]).map(lambda state: status(state)),  # type: ignore[arg-type]
)


@given(st.lists(events, max_size=20))
def test_what_was_said_last_under_each_key_counts_and_compaction_changes_nothing(said: list[ReplayEvent]) -> None:
    whole = [definition(10, 10, 10), *said]
    records = [as_record(event, number) for number, event in enumerate(whole)]
    last = {record.key: record for record in records}
    compacted = sorted(last.values(), key=lambda record: record.offset)
    assert known(records) == known(compacted)
    job = known(records)
    assert 0.0 <= job.ratio <= 1.0
    assert job.finished == all(job.is_done(number) for number in range(3))


def test_what_cannot_be_read_changes_nothing() -> None:
    said = [as_record(definition(10), 0), as_record(progress(0, 5), 1)]
    strange = [
        Record("replays", 0, 2 + at, 0, key, b"{", ()) for at, key in enumerate((b"job/progress/0", b"job", None))
    ]
    assert known(said + strange) == known(said)


@given(st.lists(events, max_size=20))
def test_a_job_that_was_taken_back_is_gone(said: list[ReplayEvent]) -> None:
    jobs = Jobs()
    for encode in (encode_replay, encode_taken_back):
        for number, event in enumerate([definition(10, 10, 10), *said]):
            jobs.apply(as_record(event, number, encode))
        assert [job.id for job in jobs.all()] == (["job"] if encode is encode_replay else [])


def known(records: list[Record]) -> Job:
    jobs = Jobs()
    for record in records:
        jobs.apply(record)
    [job] = jobs.all()
    return job


def test_the_list_cuts_no_heading_in_two_and_says_what_became_of_a_job(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    elsewhere = ReplayClassifier(kind="https://models.example.org/v1")
    one = definition(10).model_copy(
        update={"job": "20261123-014833-d3aa", "shadow": True, "classifier": elsewhere},
    )
    outcome = ReplayOutcome(job=one.job, state="promoted", generation=2, at=NOW)
    print_jobs([Job(one), Job(one, outcome=outcome)], NOW, as_json=False)
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["replay", "state", "done", "classified", "generation", "classifier", "meant"]
    assert [row.split()[1] for row in rows if row.startswith(one.job)] == ["waiting", "promoted"]


def as_record(
    event: ReplayEvent, offset: int, encode: Callable[[ReplayEvent, int], NewRecord] = encode_replay
) -> Record:
    new = encode(event, 1)
    return Record("replays", 0, offset, 0, new.key, new.value, new.headers)


@pytest.mark.parametrize(
    ("wanted", "said", "state"),
    [
        ("running", None, "waiting"),
        ("running", status("running"), "running"),
        ("running", status("running", SILENT), "waiting"),
        ("running", status("left"), "waiting"),
        ("running", status("braked"), "braked"),
        ("paused", status("running"), "paused"),
        ("cancelled", None, "cancelled"),
    ],
)
def test_the_state_of_a_job(wanted: Wanted, said: ReplayStatus | None, state: str) -> None:
    job = Job(definition(10), wanted, status={} if said is None else {0: said})
    assert job.state(NOW) == state
    assert Job(definition(10), wanted, {0: progress(0, 10, done=True)}).state(NOW) == "done"


def test_a_job_without_anything_to_read_is_done() -> None:
    assert Job(definition()).finished
    assert Job(definition()).ratio == 1.0


def test_a_rate_is_shared_by_the_partitions_that_are_left() -> None:
    job = Job(definition(10, 10, 10, rate=30.0), progress={0: progress(0, 10, done=True)})
    assert share_of(job, frozenset({0, 1})) == 15.0
    assert share_of(job, frozenset({1, 2})) == 30.0
    assert share_of(Job(definition(10)), frozenset({0})) is None


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 2)), min_size=1, max_size=20))
def test_a_pace_is_never_faster_than_its_rate(steps: list[tuple[int, float]]) -> None:
    clock, taken = 0.0, 0

    def at() -> float:
        return clock

    pace = Pace(at)
    for count, busy in steps:
        clock += pace.take(count, 5.0)
        assert taken <= clock * 5.0 + 1e-6  # what was begun before has had its time
        taken += count
        clock += busy


def test_speed_is_of_the_last_minute() -> None:
    clock = 0.0
    speed = Speed(lambda: clock)
    assert (speed.rate, speed.left) == (0.0, None)
    for clock in (0.0, 10.0, 20.0):
        speed.note(Job(definition(100), progress={0: moved(int(clock))}))
    assert speed.rate == 1.0
    assert speed.left == pytest.approx(80.0)


def moved(count: int) -> ReplayProgress:
    return progress(0, count).model_copy(update={"classified": count})


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "unknown"), (12.4, "12 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")]
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"\xff"]), st.integers(0, 50)), max_size=20))
def test_the_table_knows_what_is_last(said: list[tuple[bytes, int]]) -> None:
    said = [(key, number) for number, (key, _) in enumerate(said)]
    with Latest() as latest:
        latest.put(said)
        last = dict(said)
        assert [latest.is_last(key, at) for key, at in said] == [last[key] == at for key, at in said]


def test_the_best_fact_is_of_the_highest_generation_and_a_model_beats_rules() -> None:
    with Latest() as latest:
        latest.put_facts([Known(7, 1, True, b"one"), Known(7, 2, False, b"two"), Known(7, 2, True, b"better")])
        latest.put_facts([Known(7, 2, False, b"worse")])
        assert latest.best(7) == Known(7, 2, True, b"better")
        latest.drop_fact(7, 2)
        assert latest.best(7) == Known(7, 1, True, b"one")
        assert latest.best(8) is None


def test_what_people_write_is_checked() -> None:
    request = request_of(users=["ann"], first=["3:100"], last=["3:200"], since=datetime(2026, 8, 1))
    assert (request.first, request.last) == ({3: 100}, {3: 200})
    assert request.filters.since is not None
    assert request.filters.since.tzinfo is not None
    with pytest.raises(Refusal, match="'3' is not of the form PARTITION:OFFSET"):
        request_of(first=["3"])
    with pytest.raises(Refusal, match="this replay cannot be: sources"):
        request_of(sources=["provided"])
