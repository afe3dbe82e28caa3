"""What can go wrong with the fake platform, and the webhooks that it sends or does not."""

import heapq
import itertools
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

EVENT_TYPES = {
    "ADD": "memory_add",
    "UPDATE": "memory_update",
    "DELETE": "memory_delete",
    "CATEGORIZE": "memory_categorize",
}


@dataclass
class Faults:
    """Each a share of what it happens to, from 0 to 1; change them at any time.

    Requests of Mem0's own clients are spared, as these do not try again.
    """

    limited: float = 0.0
    """429 with Retry-After."""
    failing: float = 0.0
    """500."""
    slow: float = 0.0
    """A reply after `slow_seconds`."""
    slow_seconds: float = 0.2
    retry_after: float = 0.2
    lost: float = 0.0
    """A webhook that is never sent."""
    doubled: float = 0.0
    delayed: float = 0.0
    """A webhook after up to `delay_seconds`."""
    delay_seconds: float = 0.5
    reordered: float = 0.0
    """A webhook that changes places with the next one."""
    superseded: float = 0.0
    """An add that puts an older memory of the same user out of date, without a word."""
    flat: float = 0.0
    """A webhook in the shape of the migration page."""
    rng: random.Random = field(default_factory=random.Random)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def happens(self, name: str) -> bool:
        """Whether this goes wrong now; counted if so."""
        with self._lock:
            happens: bool = self.rng.random() < getattr(self, name)
            self.happened[name] += happens
            return happens


class Webhooks:
    """Sends them from a thread of its own; one that is not answered with 200 is lost, as nothing else is promised."""

    def __init__(self, faults: Faults) -> None:
        self.hooks: dict[str, dict[str, Any]] = {}
        self.sent = 0
        self.refused = 0
        self._faults = faults
        self._line: list[tuple[float, int, str, dict[str, Any]]] = []
        self._overtaken: list[tuple[str, dict[str, Any]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._busy = 0
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def notice(self, event: dict[str, Any]) -> None:
        """A memory has changed."""
        kind = EVENT_TYPES[event["event"]]
        for hook in list(self.hooks.values()):
            if kind in hook["event_types"] and not self._faults.happens("lost"):
                self._line_up(hook["url"], _flat(event, kind) if self._faults.happens("flat") else _payload(event))

    def idle(self) -> bool:
        """Whether nothing is on its way."""
        with self._changed:
            return not self._line and not self._busy

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(10)

    def _line_up(self, url: str, body: dict[str, Any]) -> None:
        faults = self._faults
        if faults.happens("reordered"):
            with self._changed:
                self._overtaken.append((url, body))
            return
        for _ in range(2 if faults.happens("doubled") else 1):
            late = faults.rng.uniform(0, faults.delay_seconds) if faults.happens("delayed") else 0.0
            self._put(time.monotonic() + late, url, body)
        with self._changed:
            overtaken, self._overtaken = self._overtaken, []
        for url_before, body_before in overtaken:
            self._put(time.monotonic(), url_before, body_before)

    def _put(self, when: float, url: str, body: dict[str, Any]) -> None:
        with self._changed:
            heapq.heappush(self._line, (when, next(self._numbers), url, body))
            self._changed.notify()

    def _send_all(self) -> None:
        with httpx.Client(timeout=10) as http:
            while (found := self._next()) is not None:
                try:
                    self._count(http.post(found[0], json=found[1]).status_code == 200)
                except httpx.HTTPError:
                    self._count(False)

    def _next(self) -> tuple[str, dict[str, Any]] | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                if self._line and self._line[0][0] <= now:
                    _, _, url, body = heapq.heappop(self._line)
                    self._busy += 1
                    return url, body
                self._changed.wait(self._line[0][0] - now if self._line else None)
            return None

    def _count(self, taken: bool) -> None:
        with self._changed:
            self._busy -= 1
            self.sent += taken
            self.refused += not taken


def _payload(event: dict[str, Any]) -> dict[str, Any]:
    if event["event"] == "CATEGORIZE":
        details = {"event": "CATEGORIZE", "memory_id": event["memory_id"], "categories": event["categories"]}
    else:
        text = event["new_memory"] or event["old_memory"]
        details = {"id": event["memory_id"], "data": {"memory": text}, "event": event["event"]}
    return {"event_details": details}


def _flat(event: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "event": kind,
        "memory_id": event["memory_id"],
        "user_id": event["user_id"],
        "memory": event["new_memory"],
        "timestamp": event["created_at"],
    }
