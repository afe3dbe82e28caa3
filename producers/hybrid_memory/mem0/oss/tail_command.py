"""`hm mem0 tail`, wired: the signals, the lines, the exit."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

from hybrid_memory.mem0.oss.history import History
from hybrid_memory.mem0.oss.tail import Tail, opened
from hybrid_memory.mem0.patience import Stopped
from hybrid_memory.runtime.ending import stopped_when_told
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


def follow_history(settings: Settings, path: Path, stop: threading.Event, once: bool = False) -> dict[str, Any]:
    """Follow until `stop` is set, or with `once` until all is published that there is now; what was published.

    Raises:
        Refusal: it cannot begin, or cannot go on until somebody mends what the sentence says. Nothing is lost.
    """
    history = History(path)
    with opened(settings, history) as parts:
        tail = Tail(parts, stop)
        _LOG.info("following %s into memories as %s", path, parts.project)
        try:
            while not stop.is_set():
                before = (tail.done.published, tail.done.deleted)
                more = tail.look()
                _say(tail, before)
                if once and not more:
                    break
                if not more:
                    stop.wait(settings.mem0.oss.poll_seconds)
        except Stopped:
            pass
        return {"published": tail.done.published, "deleted": tail.done.deleted}


def _say(tail: Tail, before: tuple[int, int]) -> None:
    published, deleted = tail.done.published - before[0], tail.done.deleted - before[1]
    if published or deleted:
        _LOG.info("%s published, %s deleted", published, deleted)


def run(settings: Settings, history_db: Path, once: bool, as_json: bool) -> None:
    """`hm mem0 tail`. Raises as `follow_history`."""
    configure_logs(settings.log)
    with stopped_when_told() as stop:
        done = follow_history(settings, history_db, stop, once)
    print(json.dumps(done) if as_json else f"{done['published']:,} published, {done['deleted']:,} deleted")
