"""The story that a demo tells, beside a system that is just being started."""

import asyncio
import platform
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

import httpx

from hybrid_memory.client import MemoryClient
from hybrid_memory.demo.api import Api
from hybrid_memory.demo.asking import ask, time_searches
from hybrid_memory.demo.data import SEARCHES, USER, load_life
from hybrid_memory.demo.errors import DemoFailed
from hybrid_memory.demo.results import Answer, Report, Spread, Timings, Upgrade, Versions, Write
from hybrid_memory.demo.screen import Screen
from hybrid_memory.demo.tables import answer_block, done, headline, upgrade_block, writes_table
from hybrid_memory.demo.writing import publish
from hybrid_memory.local.kafka_lock import kafka_lock
from hybrid_memory.local.readiness import until_ready, until_topics
from hybrid_memory.local.up_plan import Plan

_START_SECONDS = 120.0
_TIMED_SEARCHES = 100
_TIMED_SECONDS = 3.0
_UPGRADE_SECONDS = 60.0


async def tell(plan: Plan, screen: Screen) -> Report:
    """Wait for the system, publish a life, search in it.

    Raises:
        DemoFailed: the system did not get ready, or did not do its work in time.
        NotDelivered: Kafka did not take a memory.
    """
    kafka_s, ready_s = await _start(plan, screen)
    try:
        async with Api(plan.url) as api:
            writes, searchable = await _publish(plan, api, screen)
            answers, search = await _ask(api, screen)
            upgrade = await _upgrade(_written_once(writes), api, screen) if plan.classifier.by_a_model else None
            model = await api.embedding_model()
    except (TimeoutError, httpx.HTTPError) as error:
        raise DemoFailed(f"the service stopped answering as it should ({type(error).__name__}: {error})") from error
    durable = Spread.of([write.durable_ms for write in writes])
    return Report(
        versions=_versions(model),
        timings=Timings(kafka_ready_s=kafka_s, ready_s=ready_s, durable=durable, searchable=searchable, search=search),
        writes=tuple(writes),
        searches=tuple(answers),
        upgrade=upgrade,
    )


async def _start(plan: Plan, screen: Screen) -> tuple[float, float]:
    """Seconds until Kafka had its topics, and until the service was ready."""
    about = "Kafka, and the service with its embedding model, side by side"
    screen.show(headline(1, "Start", about))
    began, waits_for = time.monotonic(), ""

    with screen.doing("Kafka is starting") as say:

        def waiting(reason: str) -> None:
            nonlocal waits_for
            waits_for = reason
            say(reason)

        try:
            async with asyncio.timeout(_START_SECONDS):
                await until_topics(plan, waiting)
                kafka_s = time.monotonic() - began
                screen.show(done(f"Kafka {kafka_lock().version} answers and has its topics", kafka_s))
                await until_ready(plan.url, waiting)
        except TimeoutError:
            raise DemoFailed(f"not ready after {_START_SECONDS:.0f} s: {waits_for}") from None
    ready_s = time.monotonic() - began
    screen.show(done("the model is loaded and the API is ready", ready_s))
    return kafka_s, ready_s


async def _publish(plan: Plan, api: Api, screen: Screen) -> tuple[Sequence[Write], Spread]:
    life = load_life()
    about = f"{len(life)} writes through MemoryClient, each timed until the API shows it"
    screen.show(headline(2, "Publish", about))
    before = await api.embedder_seconds()
    with screen.doing(f"publishing {len(life)} writes"), MemoryClient(plan.bootstrap_servers) as client:
        writes = [write async for write in publish(life, client, api)]
    screen.show("", writes_table(writes))
    times = [write.searchable_ms for write in writes]
    return writes, Spread.of(times, _spent(before, await api.embedder_seconds()))


async def _ask(api: Api, screen: Screen) -> tuple[Sequence[Answer], Spread]:
    screen.show(headline(3, "Search", "six questions, the best of what is found, and its score"))
    answers = []
    for number, search in enumerate(SEARCHES, start=1):
        answers.append(await ask(search, api))
        screen.show(answer_block(number, answers[-1]))
    with screen.doing("timing searches"):
        before = await api.embedder_seconds()
        times = await time_searches(SEARCHES, api, _TIMED_SEARCHES, _TIMED_SECONDS)
        return answers, Spread.of(times, _spent(before, await api.embedder_seconds()))


def _written_once(writes: Sequence[Write]) -> Write:
    """The first write that no later one corrects or deletes."""
    counts = Counter(write.memory_id for write in writes)
    return next(write for write in writes if counts[write.memory_id] == 1)


async def _upgrade(write: Write, api: Api, screen: Screen) -> Upgrade:
    """A memory: what the rules said of it at once, and what the model says."""
    screen.show(headline(4, "Upgrade", "the same memory, classified by the model from the same log"))
    began = time.monotonic()
    with screen.doing("waiting for the model"):
        memory = await api.until_final(USER, write.memory_id, _UPGRADE_SECONDS)
    upgrade = Upgrade(
        memory_id=write.memory_id,
        text=memory["text"],
        before=write.classifiers,
        after=tuple(memory["classifiers"]),
        model=memory["provenance"]["model"] or memory["provenance"]["source"],
        state=memory["state"],
        waited_s=time.monotonic() - began,
    )
    screen.show(upgrade_block(upgrade))
    return upgrade


def _spent(before: float | None, after: float | None) -> float | None:
    """Milliseconds between two readings of a clock that may not be there."""
    return None if before is None or after is None else (after - before) * 1000


def _versions(embedding_model: str) -> Versions:
    return Versions(
        hybrid_memory=version("hybrid-memory"),
        kafka=kafka_lock().version,
        embedding_model=embedding_model,
        python=platform.python_version(),
    )
