"""Requests at a steady rate, whoever sends them."""

import threading
import time


class Pace:
    """At most `rate` a second over all threads; `hold` makes everybody wait."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, turns: int = 1) -> None:
        """Return when it is this caller's turn, for so many requests at once."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + turns * self._gap
        time.sleep(max(0.0, turn - time.monotonic()))

    def hold(self, seconds: float) -> None:
        """Nobody goes on before so many seconds have passed."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
