"""Ctrl-C while records are on their way."""

import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")


class Interrupt:
    """The first Ctrl-C ends the reading, and what was sent is still waited for; the second ends at once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._say = say
        self._reading = False
        self._previous: Any = None

    def until(self, lines: Iterator[_T]) -> Iterator[_T]:
        """The lines, until Ctrl-C."""
        while not self.asked:
            self._reading = True
            try:
                line = next(lines, None)
            except KeyboardInterrupt:
                return
            finally:
                self._reading = False
            if line is None:
                return
            yield line

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._say("stopping when Kafka has confirmed what was sent; Ctrl-C again stops at once")
        if self._reading:
            raise KeyboardInterrupt
