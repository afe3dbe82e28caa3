"""A replay through a classifier of known speed: how much of that is left, and what inserts notice of it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hybrid_memory.bench.figures import Figure, at_least_times, at_most_times, milliseconds
from hybrid_memory.bench.sleeping import Sleeping
from hybrid_memory.bench.stream import alone, inserts
from hybrid_memory.bench.work import Work
from hybrid_memory.client import MemoryClient
from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.starting import ReplayRequest, start_replay
from hybrid_memory.replay.store import find_job, want
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.runtime.topics import apply_topics

SHARE = 0.95
_MEMORIES = 50_000
_SLOW = 40.0
"""Texts a second of the slow classifier, so that the replay is at work all the time."""
_WAITING_TIMES = 50
_ROUNDS = 4
_LOOK_SECONDS = 1.0
_DEADLINE = 600.0


def replay(work: Work) -> list[Figure]:
    """A replay's speed, and what inserts notice while one is at work."""
    work.shown.say(f"bench: a replay of {_MEMORIES:,} memories, with a classifier of known speed")
    return [replay_throughput(work.stack.settings, work.texts), inserts_beside_a_replay(work)]


def replay_throughput(
    settings: Settings, texts: Sequence[str], rate: float = 2000.0, batch_size: int = 64, memories: int = _MEMORIES
) -> Figure:
    """Memories a second through one worker, from when it has begun until all is done, looks at partitions included;
    beside its classifier alone, which sleeps as long as `rate` says.

    On the Kafka of `settings`, with topics of its own that stay there.

    Raises:
        Refusal: the worker ended, or was not done within ten minutes.
    """
    own = settings.model_copy(update={"topic_prefix": f"bench-{uuid.uuid4().hex[:8]}."})
    apply_topics(own)
    with MemoryClient(settings=own) as client:
        client.add_many(
            {"user_id": f"user-{n % 100}", "text": f"{n}: {texts[n % len(texts)]}"} for n in range(memories)
        )
    job = start_replay(own, ReplayRequest(generation=2))
    with _worker(own, job, rate, batch_size) as process:
        through = _rate(own, job, process)
    reference = alone(Sleeping(rate, batch_size))
    return Figure(
        "replay", memories, through, "/s", None, "classifier alone", reference, at_least_times(reference, SHARE)
    )


def inserts_beside_a_replay(work: Work) -> Figure:
    """One memory until it is searchable, 99th percentile: without a replay, and beside one at work, in turn."""
    waiting = work.samples * _WAITING_TIMES
    work.fill(waiting)
    settings = work.stack.settings
    quiet, beside = [], []
    for _ in range(_ROUNDS):
        quiet += inserts(work, "inserts without a replay")
        job = start_replay(settings, ReplayRequest())
        with _worker(settings, job, _SLOW, 64) as process:
            _until(settings, job, process, 1)
            beside += inserts(work, f"inserts beside a replay of {waiting:,}")
        want(settings, job, "cancelled")
    reference, p99 = milliseconds(quiet, 0.99), milliseconds(beside, 0.99)
    target = at_most_times(reference, 1.2)
    return Figure("p99 of one memory beside a replay", work.stored, p99, "ms", p99, "no replay", reference, target)


@contextmanager
def _worker(settings: Settings, job: Job, rate: float, batch_size: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process with a classifier of known speed."""
    env = {f"HM_KAFKA__{key.upper().replace('.', '_')}": value for key, value in settings.kafka.items()}
    env |= {"HM_TOPIC_PREFIX": settings.topic_prefix, "HM_LOG__LEVEL": "error"}
    command = [sys.executable, "-m", "hybrid_memory.bench.replaying", str(rate), str(batch_size), job.id]
    process = subprocess.Popen(
        dies_with_parent(command, signal.SIGTERM),
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _rate(settings: Settings, job: Job, process: "subprocess.Popen[bytes]") -> float:
    """Memories a second, from the first look at which some are classified to the first at which all are."""
    first, began = _until(settings, job, process, 1)
    last, ended = _until(settings, job, process, None)
    if ended <= began:
        raise Refusal(f"{last} memories are too few to measure a replay by")
    return (last - first) / (ended - began)


def _until(
    settings: Settings, job: Job, process: "subprocess.Popen[bytes]", classified: int | None
) -> tuple[int, float]:
    """How many were classified when at least so many were (None: when it was done), and when, by its own clock."""
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        known = find_job(settings, job.id)
        if known.finished if classified is None else known.classified >= classified:
            return known.classified, max(progress.at.timestamp() for progress in known.progress.values())
        if process.poll() not in (None, 0):
            raise Refusal(f"the replay's worker ended with exit code {process.returncode}")
        time.sleep(_LOOK_SECONDS)
    raise Refusal(f"the replay was not done in {_DEADLINE:.0f} s")
