"""Waiting until what was started can be used."""

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable

from hybrid_memory.local.ports import answers
from hybrid_memory.local.up_plan import Plan
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.settings import load_settings

_POLL_SECONDS = 0.1

Waiting = Callable[[str], None]
"""Told again and again, while something is waited for, why it cannot be used yet."""


async def until_topics(plan: Plan, waiting: Waiting) -> None:
    """Wait until Kafka answers, and make the topics there. Waits for ever: its caller sets the deadline.

    Raises:
        Refusal: this Kafka cannot have these topics.
    """
    from hybrid_memory.runtime.topics import apply_topics

    while plan.broker_port and not answers(plan.broker_port):
        waiting("Kafka is starting")
        await asyncio.sleep(_POLL_SECONDS)
    settings = load_settings(kafka={"bootstrap.servers": plan.bootstrap_servers})
    while True:
        try:
            await asyncio.to_thread(apply_topics, settings)
            return
        except Unavailable as error:
            waiting(f"Kafka at {plan.bootstrap_servers} does not answer yet; trying again")
            await asyncio.sleep(min(error.retry_after, 1.0))


async def until_ready(url: str, waiting: Waiting) -> None:
    """Wait until the service at `url` is ready. Waits for ever, too."""
    while (reason := await asyncio.to_thread(not_ready, url)) is not None:
        waiting(reason)
        await asyncio.sleep(_POLL_SECONDS)


def not_ready(url: str) -> str | None:
    """Why the service at `url` is not ready, in its own words where it answers; None when it is."""
    # Another program's proxy settings must not come between us and this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/readyz", timeout=2):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return _detail(error.read())
    except (OSError, http.client.HTTPException):
        return "the service is starting"


def _detail(problem: bytes) -> str:
    try:
        return str(json.loads(problem)["detail"])
    except (ValueError, KeyError, TypeError):
        return "the service does not say why"
