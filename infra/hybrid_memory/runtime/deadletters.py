"""Dead letters: the record as it came, and why it can never be applied; and the brake that keeps a bug of ours
from emptying a topic into them.

Header names: Kafka Connect's `__connect.errors.*` family, and ours. Pure.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hybrid_memory.schemas import ErrorClass, NewRecord, Record

PREFIX = "dlq."
_CONNECT = "__connect.errors."


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record can never be applied. `name` is the error's class name, `stage` the step that failed."""

    error_class: ErrorClass
    name: str
    message: str
    stage: str
    stack: str = ""


def dead_letter(record: Record, failure: Failure, topic_prefix: str = "") -> NewRecord:
    """The record of the dead-letter topic for `record`: its key, value and headers kept, the reason added.

    Its key is made up where it has none, since a compacted topic needs one. It goes to the partition it came from.
    """
    reason = {
        f"{_CONNECT}topic": record.topic,
        f"{_CONNECT}partition": str(record.partition),
        f"{_CONNECT}offset": str(record.offset),
        f"{_CONNECT}stage": failure.stage,
        f"{_CONNECT}exception.class.name": failure.name,
        f"{_CONNECT}exception.message": failure.message[:4096],
        f"{_CONNECT}exception.stacktrace": failure.stack[:16_384],
        "hm-error-class": failure.error_class,
        "hm-attempts": "1",
        "hm-first-failed-at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "hm-redrive-count": record.header("hm-redrive-count") or "0",
    }
    kept = tuple((name, value) for name, value in record.headers if name not in reason)
    key = record.key if record.key is not None else f"{record.topic}-{record.partition}-{record.offset}".encode()
    return NewRecord(
        topic=PREFIX + record.topic.removeprefix(topic_prefix),
        key=key,
        value=record.value,
        headers=(*kept, *((name, value.encode()) for name, value in reason.items())),
        partition=record.partition,
        timestamp=record.timestamp,
    )


@dataclass(slots=True)
class Brake:
    """Stops a consumer when too much of what it reads is dead: then the fault is more likely ours.

    It pulls when `in_a_row` records in succession were dead, or `share` of the last `window`, once that many were
    seen.
    """

    window: int
    share: float
    in_a_row: int
    _recent: deque[bool] = field(default_factory=deque)
    _dead: int = 0
    _run: int = 0

    def count(self, dead: bool) -> None:
        """Count one record that was read."""
        self._recent.append(dead)
        self._dead += dead
        self._run = self._run + 1 if dead else 0
        if len(self._recent) > self.window:
            self._dead -= self._recent.popleft()

    @property
    def reason(self) -> str | None:
        """Why to stop, or None while all is well."""
        if self._run >= self.in_a_row:
            return f"{self._run} records in a row could not be applied"
        if len(self._recent) == self.window and self._dead >= self.share * self.window:
            return f"{self._dead} of the last {self.window} records could not be applied"
        return None
