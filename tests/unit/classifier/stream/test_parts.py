"""The small parts: what the watchdog sees, what a probe is told, coroutines that do not wait, what is sent again."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, cast

import pytest

from hybrid_memory.classifier.stream.eager import Waiting, at_once
from hybrid_memory.classifier.stream.own_thread import InOwnThread
from hybrid_memory.classifier.stream.progress import Progress
from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.classifier.stream.work import Delivery
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import NewRecord, Position
from tests.stream_process import Known, Manner


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_batch_that_shows_no_life_is_stuck() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.alive(1)
    clock.now = 9
    progress.alive(2)
    progress.lag(100)
    assert progress.stuck(10) is None
    clock.now = 11
    assert progress.stuck(10) == "a batch has been in flight for 11 s"
    progress.alive(1)
    assert progress.stuck(10) is None
    clock.now = 20
    assert progress.stuck(10) is not None
    progress.ended(1)
    progress.ended(2)
    assert progress.stuck(10) is None


def test_records_that_nobody_reads_are_stuck() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.lag(5)
    clock.now = 11
    assert progress.stuck(10) == "records have waited for 11 s and none was read"
    for unknown_or_none in (None, 0):
        progress.lag(unknown_or_none)
        assert progress.stuck(10) is None
        progress.lag(5)
        clock.now += 9
        assert progress.stuck(10) is None
    progress.alive(1)
    progress.ended(1)
    clock.now += 9
    progress.lag(5)
    assert progress.stuck(10) is None


def test_it_is_retrying_while_any_batch_is() -> None:
    status = Status()
    assert status.loading
    assert status.not_ready == "the stream is starting: loading the classifier"
    status.become("starting", "joining the group")
    status.trouble(1, "early")
    assert not status.loading
    assert status.not_ready == "the stream is starting: joining the group"
    status.trouble(1, None)
    status.become("running")
    assert status.not_ready is None
    status.trouble(1, "away")
    status.trouble(2, "also away")
    status.trouble(2, None)
    status.trouble(3, None)
    assert status.not_ready == "the stream is retrying: away"
    status.trouble(1, None)
    assert status.not_ready is None


async def test_a_coroutine_that_waits_for_nothing_ends_at_once() -> None:
    async def sums() -> int:
        return 3

    async def fails() -> int:
        raise KeyError("no")

    assert at_once(sums()) == 3
    with pytest.raises(KeyError):
        at_once(fails())


@pytest.mark.parametrize("ending", ["result", "error", "cancelled"])
async def test_a_coroutine_that_waits_goes_on_where_it_was(ending: str) -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen = []

    async def waits() -> int:
        await asyncio.sleep(0)
        try:
            return await future + 1
        except BaseException as error:
            seen.append(type(error))
            raise

    with pytest.raises(Waiting) as waiting:
        at_once(waits())
    task = asyncio.create_task(waiting.value.rest)
    await asyncio.sleep(0.01)
    if ending == "result":
        future.set_result(4)
        assert await task == 5
    elif ending == "error":
        future.set_exception(KeyError("no"))
        with pytest.raises(KeyError):
            await task
        assert seen == [KeyError]
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == [asyncio.CancelledError]


def test_the_classifier_is_called_from_one_thread_only() -> None:
    callers = set()

    class Watched(Known):
        def classify(self, texts: Any) -> Any:
            callers.add(threading.get_ident())
            return super().classify(texts)

    classifier = InOwnThread(Watched(Manner()))
    threads = [threading.Thread(target=classifier.classify, args=(["a", "b"],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    classifier.close()
    assert len(callers) == 1
    assert callers.isdisjoint({threading.get_ident(), *(thread.ident for thread in threads)})


class Choosy:
    """Takes each record on the attempt that its key says."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.attempt = 0

    def send(self, record: NewRecord) -> "Future[Position]":
        future: Future[Position] = Future()
        if int(record.key) > self.attempt:
            future.set_exception(Unavailable("not yet"))
        else:
            self.taken.append(record.key)
            future.set_result(Position(topic_id="t", partition=0, offset=0))
        return future


def test_what_is_confirmed_is_not_sent_again() -> None:
    publisher = Choosy()
    delivery = Delivery(cast(Publisher, publisher), [NewRecord("t", key, b"") for key in (b"0", b"2", b"1", b"0")])
    for attempt in range(2):
        publisher.attempt = attempt
        with pytest.raises(Unavailable):
            delivery.attempt()
    publisher.attempt = 2
    delivery.attempt()
    delivery.attempt()
    assert sorted(publisher.taken) == [b"0", b"0", b"1", b"2"]
