"""Questions that come together are answered together: a batch of many costs far less than each alone."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_Q = TypeVar("_Q")
_A = TypeVar("_A")


class Together(Generic[_Q, _A]):
    """Calls `answer` in a thread of its own, with all the questions that came while it was busy with the last ones.

    Nothing is waited for: a question that comes alone is answered at once. Where a batch fails, its questions are put
    one by one, so that each fails for itself only. For the coroutines of one event loop.
    """

    def __init__(self, name: str, answer: Callable[[Sequence[_Q]], Sequence[_A]], most: int) -> None:
        """At most `most` questions a batch; `answer` gives one answer a question, in their order."""
        self._answer, self._most = answer, most
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: deque[tuple[_Q, asyncio.Future[_A]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def ask(self, question: _Q) -> _A:
        """The answer to one question. Raises what `answer` raises for it."""
        future: asyncio.Future[_A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._settle([one for one in taken if not one[1].cancelled()])
        finally:
            self._working = None

    async def _settle(self, asked: "Sequence[tuple[_Q, asyncio.Future[_A]]]") -> None:
        if not asked:
            return
        run = asyncio.get_running_loop().run_in_executor
        try:
            answers = await run(self._thread, self._answer, [question for question, _ in asked])
            settled = list(zip(asked, answers, strict=True))
        except Exception as error:
            if len(asked) > 1:
                for one in asked:
                    await self._settle([one])
            elif not asked[0][1].done():
                asked[0][1].set_exception(error)
            return
        for (_, future), answer in settled:
            if not future.done():  # whoever asked has gone
                future.set_result(answer)
