"""`hm up`: the broker and the service side by side, until stopped."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from hybrid_memory.local.kafka_files import ensure_installed
from hybrid_memory.local.locks import lock_folder
from hybrid_memory.local.ports import answers
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.local.supervisor import Supervisor
from hybrid_memory.local.up_plan import Plan, make_plan
from hybrid_memory.local.welcome import welcome
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.settings import Settings, load_settings

_POLL_SECONDS = 0.1
_REMIND_SECONDS = 20.0

Say = Callable[[str], None]


def run_up(settings: Settings, say: Say) -> None:
    """Run everything on this machine until SIGINT or SIGTERM.

    Raises:
        Refusal: the data folder or a port is in use, Kafka cannot be installed, or a process refused.
        GaveUp: a process kept dying.
    """
    began = time.monotonic()
    lock = lock_folder(settings.data_dir.absolute(), "hm up", name=".up.lock")
    try:
        plan = make_plan(settings)
        if plan.broker_port:
            with shown_progress("downloading Kafka") as progress:
                ensure_installed(settings.cache_dir, progress)
        asyncio.run(_run(plan, began, say))
    finally:
        lock.release()


async def _run(plan: Plan, began: float, say: Say) -> None:
    async def get_ready() -> None:
        await _apply_topics(plan, say)
        await _until_ready(plan.url, say)
        say(welcome(plan, time.monotonic() - began))

    say(f"starting {' and '.join(child.name for child in plan.children)}; data in {plan.data_dir}")
    await Supervisor(plan.children).run(get_ready)
    say("stopped")


async def _apply_topics(plan: Plan, say: Say) -> None:
    from hybrid_memory.runtime.topics import apply_topics

    while plan.broker_port and not answers(plan.broker_port):
        await asyncio.sleep(_POLL_SECONDS)
    settings = load_settings(kafka={"bootstrap.servers": plan.bootstrap_servers})
    reminder = _Reminder(say, f"Kafka at {plan.bootstrap_servers} does not answer yet; trying again")
    while True:
        try:
            await asyncio.to_thread(apply_topics, settings)
            return
        except Unavailable as error:
            reminder.remind()
            await asyncio.sleep(min(error.retry_after, 1.0))


async def _until_ready(url: str, say: Say) -> None:
    reminder = _Reminder(say, f"{url} is not ready yet; see {url}/readyz for what it waits for")
    while not await asyncio.to_thread(_is_ready, url):
        reminder.remind()
        await asyncio.sleep(_POLL_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class _Reminder:
    """Says a sentence now and then while something is waited for."""

    def __init__(self, say: Say, sentence: str) -> None:
        self._say, self._sentence = say, sentence
        self._last = time.monotonic()

    def remind(self) -> None:
        if time.monotonic() - self._last >= _REMIND_SECONDS:
            self._last = time.monotonic()
            self._say(self._sentence)
