"""The waiting line is fair and loses nothing."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier.port import Answer, Maker
from hybrid_memory.classifier.service.line import Job, Line

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=10)


def job_of(size: int) -> Job:
    return Job([f"text {number}" for number in range(size)])


@given(SIZES, st.integers(1, 12))
def test_every_text_is_taken_once_and_in_its_order(sizes: list[int], most: int) -> None:
    line, jobs = Line(), [job_of(size) for size in sizes]
    for job in jobs:
        line.add(job)
    taken = []
    while pieces := line.take(most):
        assert len(pieces) <= most
        taken.extend(pieces)
        assert len(line) == sum(sizes) - len(taken)
    for job in jobs:
        assert [piece.number for piece in taken if piece.job is job] == list(range(len(job.texts)))


@given(SIZES, st.integers(1, 12))
def test_nobody_is_ahead_of_another_who_waits_by_more_than_a_turn(sizes: list[int], most: int) -> None:
    line, jobs = Line(), [job_of(size) for size in sizes]
    for job in jobs:
        line.add(job)
    served: Counter[int] = Counter()
    while pieces := line.take(most):
        served.update(id(piece.job) for piece in pieces)
        waiting = [served[id(job)] for job in jobs if job.waiting]
        assert max(waiting, default=0) - min(waiting, default=0) <= 1


def test_one_text_is_not_kept_waiting_by_a_thousand() -> None:
    line = Line()
    line.add(job_of(1000))
    line.take(64)
    line.add(single := job_of(1))
    assert single in [piece.job for piece in line.take(64)]


@given(SIZES, st.data())
def test_what_is_dropped_never_comes(sizes: list[int], data: st.DataObject) -> None:
    line, jobs = Line(), [job_of(size) for size in sizes]
    for job in jobs:
        line.add(job)
    line.take(data.draw(st.integers(0, sum(sizes))))
    gone = data.draw(st.sampled_from(jobs))
    left = sum(job.waiting for job in jobs if job is not gone)
    line.drop(gone)
    line.drop(gone)
    assert len(line) == left
    assert gone not in {piece.job for piece in line.take(1000)}


def test_a_job_is_settled_by_its_last_result_in_the_order_of_its_texts() -> None:
    job, answers = job_of(3), [Answer((str(number),), Maker("rules")) for number in range(3)]
    for number in (2, 0):
        job.put(number, answers[number])
        assert not job.future.done()
    job.put(1, answers[1])
    assert job.future.result() == answers


def test_who_has_gone_or_failed_is_not_told_again() -> None:
    gone, failed = job_of(1), job_of(1)
    gone.future.cancel()
    failed.fail(RuntimeError("first"))
    for job in (gone, failed):
        job.put(0, Answer((), Maker("rules")))
        job.fail(RuntimeError("second"))
    assert gone.future.cancelled()
    assert str(failed.future.exception()) == "first"
