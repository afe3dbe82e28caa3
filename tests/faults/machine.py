"""One machine: broker and service under the product's own supervisor, and somebody who kills them."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from hybrid_memory.local.backoff import RestartPolicy
from hybrid_memory.local.decision import Decision
from hybrid_memory.local.ports import answers
from hybrid_memory.local.supervisor import Supervisor
from hybrid_memory.local.up_plan import Plan, make_plan
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.runtime.topics import apply_topics

# As `hm up`, but that it never gives up and never waits long: here every death is ours.
_POLICY = RestartPolicy(first_delay=0.1, longest_delay=0.3, quick_deaths=1_000_000)
_ENV = {"HM_EMBEDDER__KIND": "hash"}

Target = tuple[str, ...]
TARGETS: Sequence[Target] = (("serve",), ("broker",), ("java",), ("serve", "java"), ("broker", "serve"))
"""Who is killed, in this order: the service, the process that keeps the broker, the broker itself, and pairs."""


@dataclass
class Machine:
    """What `hm up` runs on a data folder."""

    plan: Plan
    log: Path
    supervisor: Supervisor
    killed: list[str] = field(default_factory=list)

    @classmethod
    def on(cls, data_dir: Path) -> "Machine":
        """On this folder, with free ports; the output of all processes goes to a file beside it."""
        plan = make_plan(
            load_settings(data_dir=data_dir, http={"port": 0}), Decision("rules", "their kills are others")
        )
        children = [replace(child, env={**child.env, **_ENV}) for child in plan.children]
        log = data_dir.with_suffix(".log")

        def write(name: str, line: str) -> None:
            with log.open("a") as stream:
                print(f"{time.monotonic():.3f} {name} | {line}", file=stream)

        return cls(plan, log, Supervisor(children, _POLICY, write))

    @property
    def settings(self) -> Settings:
        """Those of a client of this machine."""
        return load_settings(data_dir=self.plan.data_dir, kafka={"bootstrap_servers": self.plan.bootstrap_servers})

    def run(self, work: Callable[["Machine"], None], killer: "Killer | None" = None) -> None:
        """Start everything, do `work` in a thread while `killer` does its own, and stop everything."""
        asyncio.run(self._run(work, killer))

    async def _run(self, work: Callable[["Machine"], None], killer: "Killer | None") -> None:
        async def alongside() -> None:
            await self._make_topics()
            killing = asyncio.create_task(killer.kill_all(self)) if killer else None
            try:
                await asyncio.to_thread(work, self)
                if killing:
                    await killing
            finally:
                if killing:
                    killing.cancel()
            self.supervisor.stop()

        await self.supervisor.run(alongside)

    async def _make_topics(self) -> None:
        assert self.plan.broker_port is not None
        while not answers(self.plan.broker_port):
            await asyncio.sleep(0.05)
        while True:
            with suppress(Unavailable):
                await asyncio.to_thread(apply_topics, self.settings)
                return

    def kill(self, target: Target) -> None:
        """`kill -9`; a process that is just being started again is left alone."""
        for name in target:
            pid = self._java() if name == "java" else self.supervisor.pid(name)
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed.append(name)

    def _java(self) -> int | None:
        keeper = self.supervisor.pid("broker")
        with suppress(psutil.Error):
            if keeper is not None:
                return next((child.pid for child in psutil.Process(keeper).children() if _is_java(child)), None)
        return None


@dataclass
class Killer:
    """Kills at random moments, each when so much has been published; now and then in the middle of a recovery."""

    rng: random.Random
    moments: Sequence[int]
    """How many steps must have been confirmed before each kill."""
    published: Callable[[], int]

    async def kill_all(self, machine: Machine) -> None:
        for moment in self.moments:
            while self.published() < moment:
                await asyncio.sleep(0.01)
            await asyncio.sleep(self.rng.uniform(0, 0.2))
            machine.kill(self.rng.choice(TARGETS))
            if self.rng.random() < 0.25:
                await asyncio.sleep(self.rng.uniform(0, 4))
                machine.kill(self.rng.choice(TARGETS))


def _is_java(process: psutil.Process) -> bool:
    return process.name().startswith("java")
