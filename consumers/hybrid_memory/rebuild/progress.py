"""How a rebuild shows itself: a bar on a terminal, a line now and then elsewhere. All on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_EVERY_SECONDS = 5.0


class Shown(Protocol):
    """Called with how many records are done, of how many."""

    def __call__(self, done: int, total: int) -> None: ...


def say(text: str) -> None:
    """A sentence on standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def shown(title: str) -> Iterator[Shown]:
    """The display that suits standard error, while the context lasts."""
    if not sys.stderr.isatty():
        yield Lines(title)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")
        rate = Rate()

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, rate=f"{rate.of(done):,.0f}/s")

        yield show


class Rate:
    """Records a second since the first look."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def of(self, done: int) -> float:
        """So far."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        since, before = self._first
        return (done - before) / (now - since) if now > since else 0.0


class Lines:
    """A line every few seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._rate = Rate()
        self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        rate, now = self._rate.of(done), time.monotonic()
        if now - self._said >= _EVERY_SECONDS:
            self._said = now
            left = f", {(total - done) / rate:,.0f} s left" if rate > 0 else ""
            say(f"{self._title}: {done:,} of {total:,} records, {rate:,.0f}/s{left}")
