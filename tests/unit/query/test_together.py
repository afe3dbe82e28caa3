"""Questions that are put together get the answers that each would get alone, whatever else goes wrong."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.query.together import Together


class Slow:
    """Doubles numbers, notes each batch, and does not answer the first before it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.begun.set()
        assert self.go.wait(20)
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


async def behind_the_first(slow: Slow, together: Together[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    """The first question is being answered, and these wait behind it."""
    first = asyncio.create_task(together.ask(0))
    await asyncio.to_thread(slow.begun.wait, 20)
    waiting = [asyncio.create_task(together.ask(number)) for number in numbers]
    await asyncio.sleep(0)
    return [first, *waiting]


async def test_what_comes_while_one_is_answered_goes_together_and_in_order() -> None:
    slow = Slow()
    tasks = await behind_the_first(slow, Together("test", slow, 64), range(1, 12))
    slow.go.set()
    assert await asyncio.gather(*tasks) == [2 * number for number in range(12)]
    assert slow.batches == [[0], list(range(1, 12))]


async def test_a_batch_has_a_most() -> None:
    slow = Slow()
    tasks = await behind_the_first(slow, Together("test", slow, 4), range(1, 10))
    slow.go.set()
    await asyncio.gather(*tasks)
    assert [len(batch) for batch in slow.batches] == [1, 4, 4, 1]


async def test_a_question_fails_for_itself_alone() -> None:
    slow = Slow()
    tasks = await behind_the_first(slow, Together("test", slow, 64), [12, 13, 14])
    slow.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[1] == 24
    assert answers[3] == 28
    assert isinstance(answers[2], ValueError)


async def test_who_has_gone_is_not_answered_and_harms_nobody() -> None:
    slow = Slow()
    together = Together("test", slow, 64)
    first, gone, stays = await behind_the_first(slow, together, [1, 2])
    for task in (first, gone):
        task.cancel()
    slow.go.set()
    assert await stays == 4
    assert slow.batches == [[0], [2]]
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await together.ask(5) == 10


async def test_too_few_answers_leave_nobody_waiting() -> None:
    together: Together[int, int] = Together("test", lambda numbers: [], 64)
    with pytest.raises(ValueError, match="zip"):
        await asyncio.wait_for(together.ask(1), 5)


def _plus_one(numbers: Sequence[int]) -> list[int]:
    return [number + 1 for number in numbers]


@given(st.lists(st.lists(st.integers(0, 100), max_size=20), max_size=5), st.integers(1, 8))
def test_everybody_gets_his_own_answer(waves: list[list[int]], most: int) -> None:
    async def ask() -> None:
        together = Together("test", _plus_one, most)
        for wave in waves:
            answers = await asyncio.gather(*(together.ask(number) for number in wave))
            assert answers == [number + 1 for number in wave]

    asyncio.run(ask())
