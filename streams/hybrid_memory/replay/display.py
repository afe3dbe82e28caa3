"""How far a job is, for people: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hybrid_memory.replay.duty import Display
from hybrid_memory.replay.job import Job

Clock = Callable[[], float]
_WINDOW_SECONDS = 60.0
_LINE_SECONDS = 10.0


class Speed:
    """Memories a second over the last minute, and the time that is left at that pace. Pure."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int, float]] = deque()

    def note(self, job: Job) -> None:
        """The job is so far now."""
        now = self._clock()
        self._seen.append((now, job.classified, job.ratio))
        while len(self._seen) > 2 and self._seen[1][0] < now - _WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Memories a second; 0 where nothing moved."""
        seconds, classified, _ = self._moved()
        return classified / seconds if seconds else 0.0

    @property
    def left(self) -> float | None:
        """Seconds; None where nobody knows."""
        seconds, _, ratio = self._moved()
        return seconds * (1 - self._seen[-1][2]) / ratio if ratio > 0 else None

    def _moved(self) -> tuple[float, int, float]:
        if not self._seen:
            return 0.0, 0, 0.0
        (begin, classified, ratio), (end, more, further) = self._seen[0], self._seen[-1]
        return end - begin, more - classified, further - ratio


def duration(seconds: float | None) -> str:
    """A time in words: `1 h 05 min`, `3 min 20 s`, `12 s`."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def told(job: Job, speed: Speed, doing: str) -> str:
    """A job in a line."""
    failed = f", {job.failed:,} left to the rules" if job.failed else ""
    return (
        f"replay {job.id}: {job.ratio:.0%}, {job.classified:,} classified{failed}, {job.skipped_total:,} passed over, "
        f"{speed.rate:,.0f}/s, {duration(speed.left)} left, {doing}"
    )


class Lines:
    """A line on standard error every ten seconds."""

    def __init__(self) -> None:
        self._speed, self._said = Speed(), time.monotonic()

    def show(self, job: Job, doing: str) -> None:
        self._speed.note(job)
        if time.monotonic() - self._said >= _LINE_SECONDS:
            self._said = time.monotonic()
            print(told(job, self._speed, doing), file=sys.stderr, flush=True)


@contextmanager
def displayed(job: Job) -> Iterator[Display]:
    """A display while the context lasts."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    with _bar(job) as bar:
        yield bar


@contextmanager
def _bar(job: Job) -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"replay {job.id}", total=1.0, told="")
        speed = Speed()

        class Bar:
            def show(self, job: Job, doing: str) -> None:
                speed.note(job)
                said = f"{job.classified:,} classified, {speed.rate:,.0f}/s, {duration(speed.left)} left, {doing}"
                progress.update(task, completed=job.ratio, told=said)

        yield Bar()
