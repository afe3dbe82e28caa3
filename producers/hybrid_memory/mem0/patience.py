"""Trying again what is away for a while."""

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from hybrid_memory.runtime.errors import Unavailable

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_FIRST, _LONGEST, _TELL = 0.1, 30.0, 1.0


class Stopped(Exception):  # noqa: N818
    """We were told to stop while we waited."""


def _level(wait: float) -> int:
    """One failure among many requests is nothing to tell; one that lasts is."""
    return logging.WARNING if wait >= _TELL else logging.DEBUG


def until_done(call: Callable[[], _T], stop: threading.Event, on_wait: Callable[[str], None] | None = None) -> _T:
    """What `call` returns, however often it raises `Unavailable` first: waits as it advises, and longer each time.

    `on_wait` hears why it waits, each time. Calls are made again whole, so they must bear that.

    Raises:
        Stopped: `stop` was set.
    """
    delay = _FIRST
    while not stop.is_set():
        try:
            return call()
        except Unavailable as error:
            wait = max(delay, error.retry_after) if error.retry_after > 1 else delay
            _LOG.log(_level(wait), "%s; trying again in %.1f s", error, wait)
            if on_wait is not None:
                on_wait(str(error))
            stop.wait(wait * random.uniform(0.8, 1.2))
            delay = min(delay * 2, _LONGEST)
    raise Stopped
