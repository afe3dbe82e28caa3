"""Why a record is dead, read from the headers of Kafka Connect, Kafka Streams, Spring, and ours. Pure.

Whatever stands in a header, reading it never fails: what cannot be read counts as absent.

Sources: Kafka Connect's `DeadLetterQueueReporter`, Kafka Streams' KIP-1034, Spring Kafka's `KafkaHeaders.DLT_*`
(its partition and offset are big-endian integers of 4 and 8 bytes).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hybrid_memory.runtime.deadletters import ATTEMPTS, FIRST_FAILED, LEFT_OUT, STATE
from hybrid_memory.schemas import IF_SEQ, Headers

CONNECT, STREAMS, SPRING = "__connect.errors.", "__streams.errors.", "kafka_dlt-"
ERROR_CLASS = "hm-error-class"
REDRIVES = "hm-redrive-count"
REDRIVEN_FROM = "hm-redriven-from"
"""On a record that was appended again: where the dead record stood, as TOPIC:PARTITION:OFFSET."""
BECAUSE, DROPPED, COPY_OF = "hm-dropped-because", "hm-dropped-offsets", "hm-copy-of"

_OURS = {ERROR_CLASS, ATTEMPTS, FIRST_FAILED, LEFT_OUT, STATE, REDRIVES, REDRIVEN_FROM, COPY_OF}
_WHYS = {
    "topic": (f"{CONNECT}topic", f"{STREAMS}topic", f"{SPRING}original-topic"),
    "partition": (f"{CONNECT}partition", f"{STREAMS}partition", f"{SPRING}original-partition"),
    "offset": (f"{CONNECT}offset", f"{STREAMS}offset", f"{SPRING}original-offset"),
    "stage": (f"{CONNECT}stage",),
    "exception": (
        f"{CONNECT}exception.class.name",
        f"{STREAMS}exception",
        f"{SPRING}exception-cause-fqcn",
        f"{SPRING}exception-fqcn",
        f"{SPRING}key-exception-fqcn",
    ),
    "message": (
        f"{CONNECT}exception.message",
        f"{STREAMS}message",
        f"{SPRING}exception-message",
        f"{SPRING}key-exception-message",
    ),
    "stack": (
        f"{CONNECT}exception.stacktrace",
        f"{STREAMS}stacktrace",
        f"{SPRING}exception-stacktrace",
        f"{SPRING}key-exception-stacktrace",
    ),
}
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Why:
    """Why a record is dead, and where it stood; None or empty is what no header says.

    `failed_at` is when it first failed, and `left_out` what was too large to be kept of it. `error_class` is
    `hm-error-class`, else the last part of the exception's name.
    """

    topic: str | None
    partition: int | None
    offset: int | None
    stage: str
    error_class: str
    exception: str
    message: str
    stack: str
    redrives: int
    failed_at: datetime | None
    left_out: str = ""

    @property
    def place(self) -> str | None:
        """Where the dead record stood, as TOPIC:PARTITION:OFFSET."""
        if self.topic is None or self.partition is None or self.offset is None:
            return None
        return f"{self.topic}:{self.partition}:{self.offset}"


def read_why(headers: Headers) -> Why:
    """What the headers say; of a name that comes twice, the last one counts."""
    found = {name: value for name, value in headers if value is not None}
    exception = _text(found, "exception")
    own_class = found.get(ERROR_CLASS, b"").decode(errors="replace")
    return Why(
        topic=_text(found, "topic") or None,
        partition=_number(found, "partition", 4),
        offset=_number(found, "offset", 8),
        stage=_text(found, "stage"),
        error_class=own_class or exception.rpartition(".")[2].rpartition("$")[2],
        exception=exception,
        message=_text(found, "message"),
        stack=_text(found, "stack"),
        redrives=_decimal(found.get(REDRIVES, b"")) or 0,
        failed_at=_time(found.get(FIRST_FAILED, b"")),
        left_out=found.get(LEFT_OUT, b"").decode(errors="replace"),
    )


def is_dead_letter(headers: Headers) -> bool:
    """Whether any header says that the record is one."""
    return any(_of_a_family(name) or name == ERROR_CLASS for name, _ in headers)


def original(headers: Headers) -> Headers:
    """The headers that the record had before it died; nothing of a redrive or a condition either."""
    return tuple(
        (name, value)
        for name, value in headers
        if not _of_a_family(name) and name not in _OURS and name not in (IF_SEQ, BECAUSE, DROPPED)
    )


def deaths(headers: Headers) -> Headers:
    """How often and since when it has failed: a record that is said again takes that along."""
    return tuple((name, value) for name, value in headers if name in (ATTEMPTS, FIRST_FAILED))


def dropped_offsets(headers: Headers) -> frozenset[int] | None:
    """Which dead letters of its key a null drops; None: all before it."""
    text = dict(headers).get(DROPPED)
    if text is None:
        return None
    numbers = [_decimal(part) for part in text.split(b",")]
    return None if None in numbers else frozenset(number for number in numbers if number is not None)


def copy_of(headers: Headers) -> int | None:
    """The offset of the dead letter that this one replaces."""
    return _decimal(dict(headers).get(COPY_OF) or b"")


def _of_a_family(name: str) -> bool:
    return name.startswith((CONNECT, STREAMS, SPRING))


def _values(found: Mapping[str, bytes], what: str) -> Iterator[tuple[str, bytes]]:
    return ((name, found[name]) for name in _WHYS[what] if name in found)


def _text(found: Mapping[str, bytes], what: str) -> str:
    texts = (value.decode(errors="replace") for _, value in _values(found, what))
    return next(filter(None, texts), "")


def _number(found: Mapping[str, bytes], what: str, width: int) -> int | None:
    numbers = (
        _binary(value, width) if name.startswith(SPRING) else _decimal(value) for name, value in _values(found, what)
    )
    return next((number for number in numbers if number is not None), None)


def _binary(value: bytes, width: int) -> int | None:
    number = int.from_bytes(value, "big", signed=True) if len(value) == width else -1
    return number if number >= 0 else None


def _decimal(value: bytes) -> int | None:
    if not (value.isdigit() and len(value) <= 19):
        return None
    return int(value) if int(value) < _LARGEST else None


def _time(value: bytes) -> datetime | None:
    try:
        said = datetime.fromisoformat(value.decode())
        return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
