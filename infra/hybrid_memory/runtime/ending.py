"""Ending when told to, in the middle of nothing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stopped_when_told() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    stop = threading.Event()
    before: dict[signal.Signals, Any] = {}

    def on_signal(*_: object) -> None:
        stop.set()
        for sign, handler in before.items():
            signal.signal(sign, handler)

    if threading.current_thread() is threading.main_thread():
        before = {sign: signal.signal(sign, on_signal) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
