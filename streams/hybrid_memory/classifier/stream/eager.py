"""Coroutines whose first step is taken at once, so that one that needs no more costs no task."""

from collections.abc import Coroutine, Generator
from typing import Any


class Waiting(Exception):  # noqa: N818
    """The coroutine did not end with its first step; `rest` is to be awaited."""

    def __init__(self, rest: Coroutine[Any, Any, Any]) -> None:
        super().__init__()
        self.rest = rest


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing.

    Raises:
        Waiting: it waits for something.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise Waiting(_resumed(coroutine, waits_for))


async def _resumed(coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> Any:
    return await _Rest(coroutine, waits_for)


class _Rest:
    """What is left of a coroutine that has said what it waits for."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                try:
                    came = yield waits_for
                except BaseException as error:
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(came)
            except StopIteration as done:
                return done.value
