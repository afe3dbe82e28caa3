"""`hm mem0 sync`, wired: the request, the signals, the rounds, the exit code."""

import logging
import re
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from hybrid_memory.mem0.alongside import Alongside, alongside
from hybrid_memory.mem0.patience import Stopped
from hybrid_memory.mem0.reconcile import AHEAD
from hybrid_memory.mem0.sync import Sync, SyncRequest, opened_sync
from hybrid_memory.mem0.sync_showing import displayed, print_round
from hybrid_memory.runtime.ending import stopped_when_told
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.logs import configure_logs
from hybrid_memory.runtime.settings import Settings

INTERRUPTED = 130
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_interval(text: str) -> timedelta:
    """What `30s`, `10m`, `6h` or `1d` mean.

    Raises:
        Refusal: it is none of these, or no time at all.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if match is None or int(match[1]) == 0:
        raise Refusal(f"--watch {text[:32]!r} is no interval; write one such as 30s, 10m, 6h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@dataclass(frozen=True, slots=True)
class Manner:
    """How often, and how it is told. `publish`: whether to follow the hints here and now, not only elsewhere."""

    watch: timedelta | None
    publish: bool
    limit: int
    as_json: bool


def run(settings: Settings, request: SyncRequest, manner: Manner) -> int:
    """Reconcile once, or until told to stop; the exit code.

    Raises:
        Refusal: it cannot begin or go on; what was hinted at stays, and the next run finds the rest.
    """
    configure_logs(settings.log)
    logging.getLogger("hybrid_memory.mem0").setLevel(logging.WARNING)
    with stopped_when_told() as stop:
        try:
            with opened_sync(settings, request, stop) as sync, _publisher(settings, request, manner) as publisher:
                while _round(sync, publisher, request, manner, stop):
                    continue
        except Stopped:
            return 0 if manner.watch is not None else INTERRUPTED
    return 0


def _publisher(settings: Settings, request: SyncRequest, manner: Manner) -> AbstractContextManager[Alongside | None]:
    return alongside(settings) if manner.publish and not request.dry_run else nullcontext()


def _round(
    sync: Sync, publisher: Alongside | None, request: SyncRequest, manner: Manner, stop: threading.Event
) -> bool:
    """One round; whether another follows, once its time has come."""
    with displayed() as display:
        if publisher is None:
            done = sync.round(display, manner.limit)
        else:
            done = sync.round(display, manner.limit, partial(publisher.keep_up, sync.waiting, AHEAD))
            publisher.keep_up(partial(sync.waiting, sync.ends()))
    print_round(done, None if publisher is None else publisher.total, request.dry_run, manner.as_json)
    return manner.watch is not None and not stop.wait(manner.watch.total_seconds())
