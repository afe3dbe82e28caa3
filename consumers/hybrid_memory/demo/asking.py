"""Asking the demo's questions, and timing the answers."""

import itertools
import time
from collections.abc import Sequence
from typing import Any

from hybrid_memory.demo.api import Api
from hybrid_memory.demo.data import Search
from hybrid_memory.demo.promise import broken_promises
from hybrid_memory.demo.results import Answer, Hit

_LIMIT = 20
"""More than there are memories: what must not be found has nowhere to hide."""


async def ask(search: Search, api: Api) -> Answer:
    """Ask once, and judge what is found."""
    began = time.perf_counter()
    found = await api.search(_body(search))
    ms = (time.perf_counter() - began) * 1000
    hits = tuple(Hit.model_validate(memory) for memory in found)
    asked = search.model_dump(include={"title", "user_id", "context", "domain", "look_for"})
    return Answer(**asked, ms=ms, hits=hits, broken=tuple(broken_promises(search, hits)))


async def time_searches(searches: Sequence[Search], api: Api, count: int, seconds: float) -> list[float]:
    """The milliseconds of `count` requests, one after another, the searches in turn; fewer where `seconds` are over."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    for search in itertools.islice(itertools.cycle(searches), count):
        began = time.perf_counter()
        if times and began > end:
            break
        await api.search(_body(search))
        times.append((time.perf_counter() - began) * 1000)
    return times


def _body(search: Search) -> dict[str, Any]:
    return {**search.model_dump(include={"user_id", "context", "domain"}, exclude_none=True), "limit": _LIMIT}
