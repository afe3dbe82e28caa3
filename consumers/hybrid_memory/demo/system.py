"""A whole system for one story: a real broker and a real service, on a folder and ports of their own."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from hybrid_memory.local.decision import decide
from hybrid_memory.local.output import WriteLine
from hybrid_memory.local.supervisor import Supervisor
from hybrid_memory.local.up_plan import Plan, make_plan
from hybrid_memory.runtime.settings import load_settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What the person has set of these is for the demo too; their Kafka, ports and folders are none of its business.
_KEPT = ("HM_CACHE_DIR", "HM_CLASSIFIER__", "HM_EMBEDDER__", "HM_LOG__", "HM_TEST_")

Story = Callable[[Plan], Awaitable[None]]


def run_on_a_system(story: Story) -> bool:
    """Start everything, run `story` beside it, stop everything; whether the story ran to its end.

    It does not where a signal asks to stop. No process and no file stays behind. From the main thread of a program
    that does nothing else: its environment is changed.

    Raises:
        Refusal, GaveUp: a process would not start, or kept dying.
        Exception: whatever `story` raises.
    """
    with _temporary_folder() as folder, (folder / "processes.log").open("a", encoding="utf-8") as log:
        _set_environment(folder)
        plan = make_plan(load_settings(data_dir=folder, http={"port": 0}), decide())
        return asyncio.run(_run(plan, story, _lines_to(log)))


async def _run(plan: Plan, story: Story, write: WriteLine) -> bool:
    ended = False
    supervisor = Supervisor(plan.children, write=write)

    async def tell() -> None:
        nonlocal ended
        await story(plan)
        ended = True
        supervisor.stop()

    try:
        await supervisor.run(tell)
    finally:
        _ignore_signals()  # the folder is about to go
    return ended


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that goes, whichever of the signals comes when."""
    before = {sign: signal.signal(sign, _interrupt) for sign in _SIGNALS}
    folder = Path(tempfile.mkdtemp(prefix="hm-demo-"))
    try:
        yield folder
    finally:
        _ignore_signals()
        shutil.rmtree(folder, ignore_errors=True)
        for sign, handler in before.items():
            signal.signal(sign, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for sign in _SIGNALS:
        signal.signal(sign, signal.SIG_IGN)


def _set_environment(folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("HM_") and not name.startswith(_KEPT)]:
        del os.environ[name]
    os.environ["HF_HUB_OFFLINE"] = "1"  # a model that is there already is shown; none is downloaded for it
    os.environ["TMPDIR"] = str(folder)  # torch leaves a cache there


def _lines_to(log: TextIO) -> WriteLine:
    def write(name: str, line: str) -> None:
        print(f"{name}: {line}", file=log, flush=True)

    return write
