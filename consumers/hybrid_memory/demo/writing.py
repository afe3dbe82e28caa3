"""Publishing a life, and timing when each write can be found."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

from hybrid_memory.client import MemoryClient, Position
from hybrid_memory.demo.api import Api
from hybrid_memory.demo.data import USER, Add, Step
from hybrid_memory.demo.results import Action, Write


async def publish(steps: Iterable[Step], client: MemoryClient, api: Api) -> AsyncIterator[Write]:
    """Each step as a write, one after another: the next begins when the index shows the last.

    Raises:
        NotDelivered: Kafka did not confirm a write.
        TimeoutError: a write was not shown in time.
    """
    said: set[str] = set()
    for step in steps:
        yield await _write(step, _action(step, said), client, api)
        said.add(step.memory_id)


def _action(step: Step, said: set[str]) -> Action:
    if isinstance(step, Add):
        return "correct" if step.memory_id in said else "add"
    return "delete"


async def _write(step: Step, action: Action, client: MemoryClient, api: Api) -> Write:
    began = time.perf_counter()
    position = await asyncio.to_thread(_send, step, client)
    durable = time.perf_counter()
    classifiers = await _until_searchable(step, position, api)
    searchable = time.perf_counter()
    return Write(
        action=action,
        memory_id=step.memory_id,
        text=step.text if isinstance(step, Add) else None,
        classifiers=classifiers,
        durable_ms=(durable - began) * 1000,
        searchable_ms=(searchable - began) * 1000,
    )


def _send(step: Step, client: MemoryClient) -> Position:
    if isinstance(step, Add):
        added = client.add(USER, step.text, memory_id=step.memory_id, type=step.type, metadata=step.metadata)
        return added.position
    return client.delete(USER, step.memory_id)


async def _until_searchable(step: Step, position: Position, api: Api) -> tuple[str, ...]:
    """Wait until the index shows the step; the classifiers that it has by then."""
    if isinstance(step, Add):
        return tuple((await api.until_shown(USER, step.memory_id, position))["classifiers"])
    await api.until_gone(USER, step.memory_id)
    return ()
