"""Generations of an index: several may stand side by side, and one of them is current.

A generation is known by its name alone: the plain name is the first, `name.2` the second, and so on. Which one is
current is a single name that is replaced atomically. What has a higher number than the current one is being built;
what has a lower one was current before, and is kept until it is dropped.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

_NUMBERED = re.compile(r"(?P<base>.+)\.(?P<number>[1-9]\d{0,8})")


def name_of(base: str, number: int) -> str:
    """The name of a generation."""
    return base if number == 1 else f"{base}.{number}"


def number_of(base: str, name: str) -> int | None:
    """Which generation of `base` has this name; None where it is none."""
    if name == base:
        return 1
    found = _NUMBERED.fullmatch(name)
    if found is None or found["base"] != base or found["number"] == "1":
        return None
    return int(found["number"])


class Generations(ABC):
    """The generations of one index, `base`.

    Raises (any call):
        Unavailable, Refusal: it cannot be told or done now, or not by us.
    """

    base: str

    @abstractmethod
    def current(self) -> str:
        """The name of the one that serves. It may not exist yet."""

    @abstractmethod
    def names(self) -> list[str]:
        """All that exist."""

    @abstractmethod
    def switch(self, name: str) -> None:
        """Make this one current. Atomic; who serves notices within seconds."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Delete this one, which is not current."""

    def close(self) -> None:
        """Let go of connections."""
        return

    def next(self) -> str:
        """The name of the one that is being built, or would be."""
        return name_of(self.base, self._number(self.current()) + 1)

    def building(self) -> str | None:
        """The one that is being built, where it exists."""
        return self.next() if self.next() in self.names() else None

    def kept(self) -> str | None:
        """The one that was current before, where it still exists."""
        now = self._number(self.current())
        older = [number for number in self._numbers(self.names()) if number < now]
        return name_of(self.base, max(older)) if older else None

    def _number(self, name: str) -> int:
        return number_of(self.base, name) or 1

    def _numbers(self, names: Iterable[str]) -> list[int]:
        return [number for number in (number_of(self.base, name) for name in names) if number is not None]
