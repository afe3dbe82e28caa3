"""How a long run shows itself: a bar on a terminal, a line now and then elsewhere. All on standard error."""

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

_EVERY_SECONDS = 5.0
_FRAME_SECONDS = 0.1


class Progress(Protocol):
    """Use it in a `with`; `note` says something in between without tearing the display."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def advance(self, bytes_read: int, done: int) -> None: ...

    def note(self, text: str) -> None: ...


def make_progress(label: str, total_bytes: int | None) -> Progress:
    """The display that suits standard error; `total_bytes` None where the end is not known."""
    return Bar(label, total_bytes) if sys.stderr.isatty() else Log(label)


class Bar:
    """A bar on a terminal."""

    def __init__(self, label: str, total_bytes: int | None) -> None:
        from rich import progress
        from rich.console import Console

        known = (progress.BarColumn(), progress.TaskProgressColumn()) if total_bytes is not None else ()
        self._bar = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}"),
            *known,
            progress.TextColumn("{task.fields[done]:,} published"),
            progress.TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(label, total=total_bytes, done=0)
        self._shown = 0.0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._bar)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def advance(self, bytes_read: int, done: int) -> None:
        now = time.monotonic()
        if now - self._shown >= _FRAME_SECONDS:
            self._shown = now
            self._bar.update(self._task, completed=bytes_read, done=done)

    def note(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)


class Log:
    """A line every few seconds."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def advance(self, bytes_read: int, done: int) -> None:  # noqa: ARG002  a bar needs it
        now = time.monotonic()
        if now - self._said >= _EVERY_SECONDS:
            self._said = now
            self.note(f"{self._label}: {done:,} published")

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
