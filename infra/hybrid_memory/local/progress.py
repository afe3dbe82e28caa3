"""Shows a download: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hybrid_memory.local.download import Progress

_LINE_EVERY = 2.0
_MB = 1_000_000


@contextmanager
def shown_progress(title: str) -> Iterator[Progress]:
    """A callback that shows progress on standard error; nothing appears until it is first called."""
    if sys.stderr.isatty():
        with _bar(title) as callback:
            yield callback
    else:
        yield lines(title, lambda line: print(line, file=sys.stderr, flush=True))


def lines(title: str, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Progress:
    """A callback that writes a line at the start, at the end, and at most every two seconds between."""
    last = -_LINE_EVERY

    def show(done: int, total: int, what: str) -> None:
        nonlocal last
        if done >= total or clock() - last >= _LINE_EVERY:
            last = clock()
            write(f"{title}: {done / _MB:.1f} of {total / _MB:.1f} MB ({what})")

    return show


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    task: TaskID | None = None
    with Bar(*columns, console=Console(stderr=True)) as bar:

        def show(done: int, total: int, _what: str) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(title, total=total)
            bar.update(task, completed=done, total=total)

        yield show
