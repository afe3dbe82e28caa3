"""Keeps processes running side by side, and stops them together.

A process that dies is started again after a while, a longer one each time; one that keeps dying is given up.
One that ends with code 2 refused to start (see `Refusal`): nothing is tried again, everything stops. A child that is
not essential is done without instead.
"""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hybrid_memory.local.backoff import Backoff, RestartPolicy
from hybrid_memory.local.child import Child, RunningChild
from hybrid_memory.local.output import WriteLine, prefixed_lines
from hybrid_memory.runtime.errors import Refusal

REFUSED = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OURS = "hm"


class GaveUp(Exception):  # noqa: N818  reads as what happened
    """A process kept dying; the message names it and ends with its last lines."""


class Supervisor:
    """Runs `children`: started in their order, all at once, and stopped one by one in the reverse of it."""

    def __init__(
        self, children: Sequence[Child], policy: RestartPolicy | None = None, write: WriteLine | None = None
    ) -> None:
        self._children = tuple(children)
        self._policy = policy or RestartPolicy()
        self._write = write or prefixed_lines([_OURS, *(child.name for child in children)])
        self._running: dict[str, RunningChild] = {}
        self._asked_to_stop = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to stop everything and return. From the event loop's thread."""
        self._asked_to_stop.set()

    def pid(self, name: str) -> int | None:
        """The process of a child, while it runs."""
        running = self._running.get(name)
        return running.pid if running else None

    async def run(self, alongside: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run until SIGINT, SIGTERM, SIGHUP or `stop`; `alongside` runs beside the children, and may raise to end all.

        Raises:
            Refusal: an essential child refused; the sentence is its own.
            GaveUp: an essential child kept dying.
        """
        loop = asyncio.get_running_loop()
        for sign in _SIGNALS:
            loop.add_signal_handler(sign, self.stop)
        try:
            await self._run(alongside)
        finally:
            await self._stop_all()
            for sign in _SIGNALS:
                loop.remove_signal_handler(sign)

    async def _run(self, alongside: Callable[[], Awaitable[None]] | None) -> None:
        stop = asyncio.create_task(self._asked_to_stop.wait())
        keep = [asyncio.create_task(self._keep_or_go_without(child)) for child in self._children]
        beside = [asyncio.ensure_future(alongside())] if alongside else []
        tasks: set[asyncio.Future[Any]] = {stop, *keep, *beside}
        try:
            while not stop.done():
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await _cancel(tasks)

    async def _keep_or_go_without(self, child: Child) -> None:
        try:
            await self._keep(child)
        except (Refusal, GaveUp) as fault:
            if child.essential:
                raise
            for line in str(fault).splitlines():
                self._write(_OURS, line)
            self._write(_OURS, f"the rest goes on without {child.name}")

    async def _keep(self, child: Child) -> None:
        """Start `child` again and again. Never returns."""
        backoff = Backoff(self._policy)
        while True:
            running = await self._start(child)
            code = await running.wait()
            del self._running[child.name]
            if code == REFUSED:
                sentence = running.last_lines[-1] if running.last_lines else f"{child.name} refused to start"
                raise Refusal(sentence.removeprefix("hm: "))
            delay = backoff.after_death(running.lived)
            if delay is None:
                raise GaveUp(_obituary(running, code, backoff.deaths))
            self._write(_OURS, f"{child.name} {_ended(code)}; it is started again in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _start(self, child: Child) -> RunningChild:
        if shutil.which(child.argv[0]) is None:
            raise Refusal(f"{child.name} cannot be started: there is no command {child.argv[0]}")
        # Not to be interrupted half-way: a child that nobody knows would stay behind.
        starting = asyncio.ensure_future(RunningChild.start(child, self._write))
        try:
            running = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._running[child.name] = await starting
            raise
        self._running[child.name] = running
        return running

    async def _stop_all(self) -> None:
        for child in reversed(self._children):
            running = self._running.pop(child.name, None)
            if running:
                await running.stop(self._policy.stop_deadline)


async def _cancel(tasks: set[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _obituary(running: RunningChild, code: int, deaths: int) -> str:
    last = "\n".join(f"  {line}" for line in running.last_lines) or "  (nothing)"
    return (
        f"{running.child.name} died {deaths} times in a row and is given up; it {_ended(code)}. Its last lines:\n{last}"
    )
