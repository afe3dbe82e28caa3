"""`hm up`: the broker, the service and, where a model can be had, the classifier stream side by side, until stopped."""

import asyncio
import time
from collections.abc import Callable

from hybrid_memory.local.decision import decide
from hybrid_memory.local.kafka_files import ensure_installed
from hybrid_memory.local.locks import lock_folder
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.local.readiness import until_ready, until_topics
from hybrid_memory.local.supervisor import Supervisor
from hybrid_memory.local.up_plan import Plan, make_plan
from hybrid_memory.local.welcome import welcome
from hybrid_memory.runtime.settings import Settings

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
        plan = make_plan(settings, decide())
        if plan.broker_port:
            with shown_progress("downloading Kafka") as progress:
                ensure_installed(settings.cache_dir, progress)
        asyncio.run(_run(plan, began, say))
    finally:
        lock.release()


async def _run(plan: Plan, began: float, say: Say) -> None:
    async def get_ready() -> None:
        await until_topics(plan, _Reminder(say).remind)
        await until_ready(plan.url, _Reminder(say, "not ready yet: ").remind)
        say(welcome(plan, time.monotonic() - began))

    say(f"starting {', '.join(child.name for child in plan.children)}; data in {plan.data_dir}")
    say(f"classifiers: {plan.classifier.kind}, since {plan.classifier.why}")
    await Supervisor(plan.children).run(get_ready)
    say("stopped")


class _Reminder:
    """Says why something is waited for: each new reason at once, the same one again now and then."""

    def __init__(self, say: Say, start: str = "") -> None:
        self._say, self._start = say, start
        self._last, self._reason = 0.0, ""

    def remind(self, reason: str) -> None:
        if reason != self._reason or time.monotonic() - self._last >= _REMIND_SECONDS:
            self._last, self._reason = time.monotonic(), reason
            self._say(self._start + reason)
