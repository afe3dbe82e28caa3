"""How the benchmark shows what it is doing: a bar on a terminal, a line a step elsewhere. All on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Called with how many more are done."""


class Shown:
    """Use `say` for a sentence, and `step` around work of a known length."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Advance]:
        """A step of `total` parts."""
        if not self._terminal:
            self.say(f"bench: {title} ({total:,})")
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda more: bar.update(task, advance=more)
