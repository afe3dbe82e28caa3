"""Concurrent requests become batches, fairly, within bounds, and each gets what is its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from hybrid_memory.classifier.port import Answer
from hybrid_memory.classifier.service.gather import Full, Gatherer
from hybrid_memory.classifier.service.line import Result
from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.runtime.errors import Unavailable
from tests.unit.classifier.service.doubles import Echo

Start = Callable[..., Gatherer]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def start(echo: Echo) -> Iterator[Start]:
    """Starts a gatherer over `echo`; at the end it is stopped."""
    threads: list[tuple[Gatherer, threading.Thread]] = []

    def start(gather_s: float = 0.02, most: int = 100) -> Gatherer:
        gatherer = Gatherer(gather_s, most)
        threads.append((gatherer, threading.Thread(target=gatherer.feed, args=(echo,))))
        threads[-1][1].start()
        return gatherer

    yield start
    echo.gate.set()
    for gatherer, thread in threads:
        gatherer.stop(0)
        thread.join(20)
        assert not thread.is_alive()


def said(results: list[Result]) -> list[str]:
    assert all(isinstance(result, Answer) for result in results)
    return [" ".join(result.classifiers) for result in results if isinstance(result, Answer)]


async def began(echo: Echo) -> None:
    """A batch more has been given to the classifier."""
    assert await asyncio.to_thread(echo.began.acquire, timeout=20)


async def waiting(gatherer: Gatherer, texts: int) -> None:
    async with asyncio.timeout(20):
        while gatherer.waiting != texts:
            await asyncio.sleep(0.001)


async def test_single_requests_that_arrive_together_are_one_batch(echo: Echo, start: Start) -> None:
    gatherer = start(gather_s=0.2)
    texts = [f"word{number} of many" for number in range(6)]
    results = await asyncio.gather(*(gatherer.classify([text]) for text in texts))
    assert [said(result) for result in results] == [[f"word{number}"] for number in range(6)]
    assert echo.batches == [texts]


async def test_a_full_batch_does_not_wait(echo: Echo, start: Start) -> None:
    gatherer = start(gather_s=60)
    async with asyncio.timeout(20):
        assert said(await gatherer.classify([f"w{number}" for number in range(8)])) == [f"w{n}" for n in range(8)]


async def test_a_long_request_is_split(echo: Echo, start: Start) -> None:
    texts = [f"w{number}" for number in range(30)]
    assert said(await start().classify(texts)) == texts
    assert [len(batch) for batch in echo.batches] == [8, 8, 8, 6]


async def test_nothing_is_asked_for_nothing(echo: Echo, start: Start) -> None:
    assert await start().classify([]) == []
    assert echo.batches == []


async def test_a_single_text_does_not_wait_behind_a_long_request(echo: Echo, start: Start) -> None:
    gatherer = start()
    echo.gate.clear()
    long = asyncio.ensure_future(gatherer.classify([f"w{number}" for number in range(80)]))
    await began(echo)
    single = asyncio.ensure_future(gatherer.classify(["single"]))
    await waiting(gatherer, 73)
    echo.gate.set()
    assert said(await single) == ["single"]
    assert len(await long) == 80
    assert "single" in echo.batches[1]


async def test_too_much_is_refused_with_an_estimate_and_what_waits_is_not_hurt(echo: Echo, start: Start) -> None:
    gatherer = start(most=10)
    assert len(await gatherer.classify(["w"] * 25)) == 25, "a request beyond the bound passes where nobody waits"
    echo.gate.clear()
    running = asyncio.ensure_future(gatherer.classify(["w"] * 8))
    for _ in range(5):
        await began(echo)
    queued = asyncio.ensure_future(gatherer.classify(["q"] * 9))
    await waiting(gatherer, 9)
    with pytest.raises(Full) as refused:
        await gatherer.classify(["a", "b"])
    assert 0 < refused.value.retry_after < 60
    echo.gate.set()
    assert (len(await running), len(await queued)) == (8, 9)


async def test_what_is_cancelled_is_dropped_if_it_was_not_begun(echo: Echo, start: Start) -> None:
    gatherer = start()
    echo.gate.clear()
    running = asyncio.ensure_future(gatherer.classify(["running"] * 8))
    await began(echo)
    gone = asyncio.ensure_future(gatherer.classify(["gone"] * 20))
    stays = asyncio.ensure_future(gatherer.classify(["stays"]))
    await waiting(gatherer, 21)
    gone.cancel()
    running.cancel()
    await waiting(gatherer, 1)
    echo.gate.set()
    assert said(await stays) == ["stays"]
    assert echo.batches[1:] == [["stays"]]


async def test_a_text_on_which_it_raises_fails_alone(echo: Echo, start: Start) -> None:
    gatherer = start(gather_s=0.2)
    good, bad = await asyncio.gather(gatherer.classify(["a", "b", "c"]), gatherer.classify(["d", "poison"]))
    assert said(good) == ["a", "b", "c"]
    assert said(bad[:1]) == ["d"]
    [failure] = bad[1:]
    assert isinstance(failure, Failure)
    assert failure.name == "RuntimeError"


async def test_when_the_classifier_is_away_all_of_the_batch_are_told_and_it_goes_on_later(
    echo: Echo, start: Start
) -> None:
    gatherer = start()
    echo.away = Unavailable("away", 7)
    with pytest.raises(Unavailable) as told:
        await gatherer.classify([f"w{number}" for number in range(50)])
    assert told.value.retry_after == 7
    assert gatherer.waiting == 0, "the rest of a request that has failed is not tried"
    echo.away = None
    assert said(await gatherer.classify(["back"])) == ["back"]


async def test_a_stop_lets_what_runs_and_waits_end_and_takes_no_more(echo: Echo, start: Start) -> None:
    gatherer = start()
    echo.gate.clear()
    running = asyncio.ensure_future(gatherer.classify(["w"] * 20))
    await began(echo)
    gatherer.stop(20)
    with pytest.raises(Unavailable):
        await gatherer.classify(["late"])
    echo.gate.set()
    assert len(await running) == 20


async def test_a_stop_without_grace_ends_the_batch_and_refuses_the_rest(echo: Echo, start: Start) -> None:
    gatherer = start()
    echo.gate.clear()
    running = asyncio.ensure_future(gatherer.classify(["w"] * 8))
    await began(echo)
    rest = asyncio.ensure_future(gatherer.classify(["rest"]))
    await waiting(gatherer, 1)
    gatherer.stop(0)
    echo.gate.set()
    assert len(await running) == 8
    with pytest.raises(Unavailable):
        await rest
