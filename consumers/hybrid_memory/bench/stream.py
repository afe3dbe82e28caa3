"""The classifier stream with a classifier of known speed: how much of that is left when texts come through Kafka and
facts go there, and what inserts notice of it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from hybrid_memory.bench.figures import Figure, at_least_times, at_most_times, milliseconds, times
from hybrid_memory.bench.sleeping import Sleeping
from hybrid_memory.bench.work import Work
from hybrid_memory.client import MemoryClient
from hybrid_memory.local.mortal import dies_with_parent
from hybrid_memory.local.ports import free_port
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.runtime.topics import apply_topics

SHARE = 0.95
_SLOW = 40.0
"""Texts a second of the slow classifier: with thousands waiting it is at work all the time."""
_WAITING_TIMES = 50
_ROUNDS = 2
_LOOK_SECONDS = 0.5
_DEADLINE = 300.0


def stream(work: Work) -> list[Figure]:
    """The stream's speed, and what inserts notice of it while very many memories wait to be classified."""
    work.shown.say("bench: through the classifier stream, with a classifier of known speed")
    return [stream_throughput(work.stack.settings, work.texts), *inserts_while_many_wait(work)]


def inserts_while_many_wait(work: Work) -> list[Figure]:
    """One memory until it is searchable: without a stream, and beside one that has thousands waiting, in turn."""
    waiting = work.samples * _WAITING_TIMES
    work.fill(waiting)
    quiet, beside = [], []
    for _ in range(_ROUNDS):
        quiet += inserts(work, "inserts without a stream")
        with _stream(work.stack.settings, _SLOW, 64) as url:
            _until_it_runs(url)
            beside += inserts(work, f"inserts while {waiting:,} wait")
    reference = milliseconds(quiet, 0.5)
    target = at_most_times(reference, 1.2)
    return [times(f"one memory while {waiting:,} wait", work.stored, beside, "no stream", reference, target)]


def inserts(work: Work, title: str) -> list[float]:
    """Insert one memory after another, as often as there are samples: the seconds until each was searchable."""
    seconds = []
    with work.shown.step(title, work.samples) as advance:
        for memory in work.memories(work.samples):
            began = time.perf_counter()
            work.api.post("/add_memory", memory)
            seconds.append(time.perf_counter() - began)
            advance(1)
    return seconds


def _until_it_runs(url: str) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not _done(url):
        if time.monotonic() > deadline:
            raise Refusal("the classifier stream did not begin")
        time.sleep(_LOOK_SECONDS)


def stream_throughput(
    settings: Settings, texts: Sequence[str], rate: float = 2000.0, batch_size: int = 64, memories: int = 20_000
) -> Figure:
    """Texts a second through the stream, beside those of its classifier alone, which sleeps as long as `rate` says.

    On the Kafka of `settings`, with topics of its own that stay there.

    Raises:
        Refusal: the stream ended, or was not done within five minutes.
    """
    own = settings.model_copy(update={"topic_prefix": f"bench-{uuid.uuid4().hex[:8]}."})
    apply_topics(own)
    with MemoryClient(settings=own) as client:
        client.add_many(
            {"user_id": f"user-{n % 100}", "text": f"{n}: {texts[n % len(texts)]}"} for n in range(memories)
        )
    with _stream(own, rate, batch_size) as url:
        through = _rate(url, memories)
    reference = alone(Sleeping(rate, batch_size))
    wanted = at_least_times(reference, SHARE)
    return Figure("classifier stream", memories, through, "/s", None, "classifier alone", reference, wanted)


@contextmanager
def _stream(settings: Settings, rate: float, batch_size: int) -> Iterator[str]:
    """A stream process with a classifier of known speed; where it answers."""
    port = free_port()
    env = {f"HM_KAFKA__{key.upper().replace('.', '_')}": value for key, value in settings.kafka.items()}
    env |= {"HM_TOPIC_PREFIX": settings.topic_prefix, "HM_STREAM__PORT": str(port), "HM_LOG__LEVEL": "error"}
    command = [sys.executable, "-m", "hybrid_memory.bench.sleeping", str(rate), str(batch_size)]
    process = subprocess.Popen(
        dies_with_parent(command, signal.SIGTERM), env={**os.environ, **env}, stdin=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _rate(url: str, memories: int) -> float:
    """Texts a second, from when the stream is under way until shortly before it has done all."""
    seen: list[tuple[float, float]] = []
    deadline = time.monotonic() + _DEADLINE
    while not seen or seen[-1][1] < memories:
        if time.monotonic() > deadline:
            raise Refusal(f"the classifier stream was not done with {memories} memories in {_DEADLINE:.0f} s")
        time.sleep(_LOOK_SECONDS)
        done = _done(url)
        if done:
            seen.append((time.monotonic(), done))
    under_way = seen[1:-1]
    if len(under_way) < 2:
        raise Refusal(f"{memories} memories are too few to measure this stream by")
    (began, before), (ended, after) = under_way[0], under_way[-1]
    return (after - before) / (ended - began)


def _done(url: str) -> float:
    try:
        lines = httpx.get(f"{url}/metrics", timeout=10).text.splitlines()
    except httpx.TransportError:  # it has not begun to listen
        return 0
    return next((float(line.split()[1]) for line in lines if line.startswith("hm_classified_texts_total ")), 0)


def alone(classifier: Sleeping, batches: int = 30) -> float:
    """Texts a second of the classifier that has nothing else to do."""
    texts = ["a text"] * classifier.batch_size
    began = time.monotonic()
    for _ in range(batches):
        classifier.classify(texts)
    return batches * len(texts) / (time.monotonic() - began)
