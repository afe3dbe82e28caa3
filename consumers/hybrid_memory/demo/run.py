"""The wiring of `hm demo`."""

import json
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version

from rich.text import Text

from hybrid_memory.demo.results import Report, to_program
from hybrid_memory.demo.screen import Screen
from hybrid_memory.demo.story import tell
from hybrid_memory.demo.system import run_on_a_system
from hybrid_memory.demo.tables import headline, numbers_table, verdict
from hybrid_memory.local.kafka_files import ensure_installed
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.local.up_plan import Plan
from hybrid_memory.runtime.settings import load_settings

KEPT, BROKEN, INTERRUPTED = 0, 1, 130


def run_demo(as_json: bool = False) -> int:
    """Show the product at work, and clean up; the exit code: 0, 1 (a promise was broken) or 130 (Ctrl-C).

    Raises:
        Refusal: Kafka cannot be installed, or a process refused to start.
        GaveUp, DemoFailed, NotDelivered: something did not work.
    """
    began = time.monotonic()
    try:
        with shown_progress("downloading Kafka") as progress:
            ensure_installed(load_settings().cache_dir, progress)
        report = _play(Screen(for_people=not as_json))
    except KeyboardInterrupt:
        report = None
    if report is None:
        print("stopped; nothing of the demo is left", file=sys.stderr)
        return INTERRUPTED
    _conclude(report, time.monotonic() - began, as_json)
    return KEPT if report.kept else BROKEN


def _play(screen: Screen) -> Report | None:
    """The report, or None where Ctrl-C came first."""
    name = f"hybrid-memory {version('hybrid-memory')}"
    screen.show(Text.assemble((name, "bold"), " · a life in 17 memories: published, corrected, found"))
    report = None
    with ExitStack() as stopping:

        async def story(plan: Plan) -> None:
            nonlocal report
            report = await tell(plan, screen)
            stopping.enter_context(screen.doing("stopping everything and cleaning up"))

        ended = run_on_a_system(story)
    return report if ended else None


def _conclude(report: Report, total_s: float, as_json: bool) -> None:
    if as_json:
        print(json.dumps(to_program(report, total_s), ensure_ascii=False, indent=2))
        return
    screen = Screen()
    about = f"started in {report.timings.ready_s:.1f} s, all over and cleaned up in {total_s:.1f} s"
    number = 4 if report.upgrade is None else 5
    said = verdict(report.searches, report.upgrade)
    screen.show(headline(number, "Numbers", about), "", numbers_table(report.timings), "", said)
    if report.kept:
        screen.show("  To run it for yourself: hm up")
