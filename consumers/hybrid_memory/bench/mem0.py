"""The first import from Mem0's platform: beside its classifier's own time, and of very many memories."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
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
"""The share of its first speed that the second half of an import must keep."""
_LOOK_SECONDS = 0.05
_DEADLINE = 900.0


@dataclass(frozen=True, slots=True)
class Import:
    """One run of `hm mem0 sync`: what it said, its seconds from start to end, the most memory that it held, and when it
    asked for each page."""

    said: dict[str, Any]
    seconds: float
    megabytes: float
    asked: Sequence[float]


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
    first, last = _halves(done.asked, memories)
    flat = at_least_times(first, FLAT)
    return [
        rates("import", memories, memories / done.seconds),
        rates("import, second half", memories, last, "first half", first, flat),
        Figure("import, its memory", memories, done.megabytes, "MB", target=at_most(300, "MB")),
    ]


def _halves(asked: Sequence[float], memories: int) -> tuple[float, float]:
    """Memories a second in the first and in the second half, by when pages were asked for."""
    middle = len(asked) // 2
    size = memories / len(asked)
    return size * middle / (asked[middle] - asked[0]), size * middle / (asked[-1] - asked[-1 - middle])


def _import(settings: Settings, platform: Platform, *options: str) -> Import:
    own = settings.model_copy(update={"topic_prefix": f"bench-{uuid.uuid4().hex[:8]}."})
    apply_topics(own)
    with platform.running():
        began = time.monotonic()
        process = _started(own, platform, options)
        try:
            megabytes = _watched(process, began)
            said, complaint = process.communicate(timeout=30)
        finally:
            process.kill()
        if process.returncode:
            raise Refusal(f"hm mem0 sync failed: {complaint.strip()[-300:]}")
    return Import(json.loads(said), time.monotonic() - began, megabytes, platform.asked)


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


def _watched(process: "subprocess.Popen[str]", began: float) -> float:
    """The most memory that a process and its children hold, in MB, until it ends."""
    most = 0
    while process.poll() is None:
        if time.monotonic() - began > _DEADLINE:
            raise Refusal(f"hm mem0 sync was not done in {_DEADLINE:.0f} s")
        most = max(most, _held(process.pid))
        time.sleep(_LOOK_SECONDS)
    return most / 1e6


def _held(pid: int) -> int:
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return sum(member.memory_info().rss for member in family)
    except psutil.Error:
        return 0
