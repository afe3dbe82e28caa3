"""Dead letters: the record as it came, and why it can never be applied; and the brake that keeps a bug of ours
from emptying a topic into them.

Header names: Kafka Connect's `__connect.errors.*` family, and ours. Pure.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hybrid_memory.schemas import ErrorClass, NewRecord, Record

PREFIX = "dlq."
ATTEMPTS, FIRST_FAILED = "hm-attempts", "hm-first-failed-at"
LEFT_OUT = "hm-left-out"
"""Of `value`, `headers` and `key`, what was too large for the dead-letter topic."""
STATE = "hm-state"
"""A fingerprint of what the letter is about, where its record only points there."""
MAX_BYTES = 1_114_124 - 1024
"""What a dead-letter topic takes (`max.message.bytes`), less what a batch adds."""
_CONNECT = "__connect.errors."
_STACK = f"{_CONNECT}exception.stacktrace"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record can never be applied. `name` is the error's class name, `stage` the step that failed, `state` a
    fingerprint of what cannot be applied, where the record only points there."""

    error_class: ErrorClass
    name: str
    message: str
    stage: str
    stack: str = ""
    state: str = ""


def dead_letter(record: Record, failure: Failure, topic_prefix: str = "") -> NewRecord:
    """The record of the dead-letter topic for `record`: its key, value and headers kept, the reason added.

    Its key is made up where it has none, since a compacted topic needs one. It goes to the partition it came from.
    One that died before, and was redriven, keeps the time of its first death, and its deaths are counted on. What is
    too large for the topic is left out, the largest part first, and `hm-left-out` says so: no record ends a consumer.
    """
    reason = _reason(record, failure)
    letter = NewRecord(
        topic=PREFIX + record.topic.removeprefix(topic_prefix),
        key=record.key if record.key is not None else _made_up(record),
        value=record.value,
        headers=tuple(
            (name, value) for name, value in record.headers if name not in reason and name not in (LEFT_OUT, STATE)
        ),
        partition=record.partition,
        timestamp=record.timestamp,
    )
    return _fitted(letter, record, reason)


def size_of(record: Record | NewRecord) -> int:
    """Its bytes, as far as they count for the limits of a topic; rather too many."""
    headers = sum(len(name.encode()) + len(value or b"") + 10 for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + 100


def _reason(record: Record, failure: Failure) -> dict[str, bytes]:
    deaths = record.header(ATTEMPTS) or ""
    texts = {
        f"{_CONNECT}topic": record.topic,
        f"{_CONNECT}partition": str(record.partition),
        f"{_CONNECT}offset": str(record.offset),
        f"{_CONNECT}stage": failure.stage,
        f"{_CONNECT}exception.class.name": failure.name,
        f"{_CONNECT}exception.message": failure.message[:4096],
        _STACK: failure.stack[:16_384],
        "hm-error-class": failure.error_class,
        ATTEMPTS: str(1 + (int(deaths) if deaths.isascii() and deaths.isdigit() and len(deaths) < 9 else 0)),
        FIRST_FAILED: _time(record.header(FIRST_FAILED)),
        "hm-redrive-count": record.header("hm-redrive-count") or "0",
    } | ({STATE: failure.state} if failure.state else {})
    return {name: text.encode(errors="replace") for name, text in texts.items()}


def _time(first: str | None) -> str:
    """The time that a header says, where it is one, else now."""
    try:
        return datetime.fromisoformat(first or "").isoformat(timespec="milliseconds")
    except ValueError:
        return datetime.now(UTC).isoformat(timespec="milliseconds")


def _fitted(letter: NewRecord, record: Record, reason: Mapping[str, bytes]) -> NewRecord:
    """The letter with its reason, without what is too large."""
    parts = {
        "value": len(letter.value or b""),
        "headers": size_of(replace(letter, key=b"", value=None)),
        "key": len(letter.key),
    }
    reasons, left_out = dict(reason), list[str]()
    if _whole_size(letter, reasons) > MAX_BYTES:
        reasons[_STACK] = b""
    while _whole_size(letter, reasons) > MAX_BYTES and parts:
        largest = max(parts, key=lambda part: parts[part])
        del parts[largest]
        left_out.append(largest)
        # An empty value, since a null would count as a deletion.
        less: dict[str, Any] = {"value": b"", "headers": (), "key": _made_up(record)}
        letter = replace(letter, **{largest: less[largest]})
    if left_out:
        reasons[LEFT_OUT] = ",".join(left_out).encode()
    return replace(letter, headers=(*letter.headers, *reasons.items()))


def _whole_size(letter: NewRecord, reasons: Mapping[str, bytes]) -> int:
    return size_of(replace(letter, headers=(*letter.headers, *reasons.items())))


def _made_up(record: Record) -> bytes:
    return f"{record.topic}-{record.partition}-{record.offset}".encode()


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
