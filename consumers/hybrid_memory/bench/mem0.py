"""The first import from Mem0's platform: beside its classifier's own time, and of very many memories."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

import psutil

from hybrid_memory.bench.figures import Figure, at_least_times, at_most, at_most_times, rates
from hybrid_memory.bench.mem0_platform import KEY, Platform
from hybrid_memory.bench.work import Work
from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.runtime.topics import apply_topics

CLASSIFIED, MANY = 100, 100_000
SPEED = 5.0
"""Texts a second of the classifier: what the seed says of a GPU."""
FLAT = 0.8
"""The share of its first speed that the later half of an import must keep, by the clock and by processor time: other
work on the machine disturbs only the former, and a wait that grows shows only there."""
_LOOK_SECONDS = 0.05
_DEADLINE = 900.0


@dataclass(frozen=True, slots=True)
class Import:
    """One run of `hm mem0 sync`: what it said, its seconds from start to end, the most memory that it held, and when it
    asked for each page, by the clock and by the processor time that it had used."""

    said: dict[str, Any]
    seconds: float
    megabytes: float
    asked: Sequence[float]
    worked: Sequence[float]


@dataclass(slots=True)
class Watch:
    """What a process uses, as it was seen; it has no children."""

    pid: int
    most_bytes: int = 0
    times: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    def look(self) -> None:
        """See what it uses now; once it has ended, nothing."""
        try:
            process = psutil.Process(self.pid)
            held, used = process.memory_info().rss, process.cpu_times()
        except psutil.Error:
            return
        self.most_bytes = max(self.most_bytes, held)
        self.times.append(time.monotonic())
        self.worked.append(used.user + used.system)

    def worked_by(self, moment: float) -> float:
        """The seconds of processor time that it had used by then."""
        seen = bisect_right(self.times, moment)
        return self.worked[seen - 1] if seen else 0.0


def mem0(work: Work) -> list[Figure]:
    """Imports into topics of their own, from when the command is started until all is in `memories`."""
    work.shown.say(f"bench: imports from Mem0, of {CLASSIFIED} memories with a classifier and of {MANY:,} without")
    settings = work.stack.settings
    return [classified(settings, work.texts), *many(settings, work.texts)]


def classified(settings: Settings, texts: Sequence[str], memories: int = CLASSIFIED, speed: float = SPEED) -> Figure:
    """The import of few memories that are classified beforehand, beside what the classifier alone takes.

    Raises:
        Refusal: the import failed.
    """
    platform = Platform(memories, texts, speed)
    done = _import(settings, platform, "--classify")
    alone = platform.classifying_seconds
    return Figure(
        "import, classified", memories, done.seconds, "s", None, "classifier alone", alone, at_most_times(alone, 1.3)
    )


def many(settings: Settings, texts: Sequence[str], memories: int = MANY) -> list[Figure]:
    """The import of very many: how many a second, whether that stays so, and the memory of the process. Raises as
    `classified`."""
    done = _import(settings, Platform(memories, texts))
    return [
        rates("import", memories, memories / done.seconds),
        _flat("import, later half", memories, done.asked),
        _flat("import, later half, of work", memories, done.worked),
        Figure("import, its memory", memories, done.megabytes, "MB", target=at_most(300, "MB")),
    ]


def _flat(name: str, memories: int, asked: Sequence[float]) -> Figure:
    first, last = halves(asked, memories)
    return rates(name, memories, last, "first half", first, at_least_times(first, FLAT))


def halves(asked: Sequence[float], memories: int) -> tuple[float, float]:
    """Memories a second in the first half and in the later one, by when pages were asked for: the medians of five
    tenths each, so that neither the start nor a moment's other work on the machine decides. Pure.

    Raises:
        Refusal: there were too few pages.
    """
    size = len(asked) // 10
    if not size:
        raise Refusal("ten pages are needed to see whether an import keeps its speed")
    marks = [asked[min(number * size, len(asked) - 1)] for number in range(11)]
    tenths = [max(end - begin, 1e-6) for begin, end in pairwise(marks)]
    each = memories * size / len(asked)
    return each / median(tenths[:5]), each / median(tenths[5:])


def _import(settings: Settings, platform: Platform, *options: str) -> Import:
    own = settings.model_copy(update={"topic_prefix": f"bench-{uuid.uuid4().hex[:8]}."})
    apply_topics(own)
    with platform.running():
        began = time.monotonic()
        process = _started(own, platform, options)
        try:
            watch = _watched(process, began)
            said, complaint = process.communicate(timeout=30)
        finally:
            process.kill()
        if process.returncode:
            raise Refusal(f"hm mem0 sync failed: {complaint.strip()[-300:]}")
    worked = [watch.worked_by(moment) for moment in platform.asked]
    return Import(json.loads(said), time.monotonic() - began, watch.most_bytes / 1e6, platform.asked, worked)


def _started(settings: Settings, platform: Platform, options: Sequence[str]) -> "subprocess.Popen[str]":
    env = {f"HM_KAFKA__{key.upper().replace('.', '_')}": value for key, value in settings.kafka.items()} | {
        "HM_TOPIC_PREFIX": settings.topic_prefix,
        "HM_MEM0__API_KEY": KEY,
        "HM_MEM0__URL": platform.url,
        "HM_MEM0__RATE_PER_SECOND": "10000",
        "HM_MEM0__PAGE_SIZE": "200",
        "CLASSIFIER_SERVICE_URL": platform.url,
        "HM_LOG__LEVEL": "error",
    }
    command = [sys.executable, "-m", "hybrid_memory.cli", "mem0", "sync", "--json", *options]
    return subprocess.Popen(
        dies_with_parent(command, signal.SIGTERM),
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _watched(process: "subprocess.Popen[str]", began: float) -> Watch:
    """What a process uses until it ends."""
    watch = Watch(process.pid)
    while process.poll() is None:
        if time.monotonic() - began > _DEADLINE:
            raise Refusal(f"hm mem0 sync was not done in {_DEADLINE:.0f} s")
        watch.look()
        time.sleep(_LOOK_SECONDS)
    return watch
