"""What a dead-letter topic says, record by record: which letters are there, and which were dropped. Pure.

A null under a letter's key drops it. The null names the offsets that it drops, since a record that is redriven may die
again before its letter is dropped: the new letter, under the same key and before the null, is not meant. It is in
danger, though: compaction keeps the last record of a key. So it is appended again, as a copy that replaces it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hybrid_memory.dlq.headers import COPY_OF, Why, copy_of, dropped_offsets, is_dead_letter, read_why
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.schemas import NewRecord, Record

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Where a dead letter stands."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Ref":
        """Read TOPIC:PARTITION:OFFSET.

        Raises:
            Refusal: it is not of that form.
        """
        topic, _, rest = text.partition(":")
        partition, colon, offset = rest.partition(":")
        digits = partition + offset
        if not (topic and colon and partition and offset and digits.isascii() and digits.isdigit()) or len(rest) > 30:
            raise Refusal(f"{text!r} is not of the form TOPIC:PARTITION:OFFSET, as hm dlq list shows it")
        return cls(topic, int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: its record, and why it is one."""

    record: Record
    why: Why

    @property
    def ref(self) -> Ref:
        return Ref(self.record.topic, self.record.partition, self.record.offset)

    @property
    def failed_at(self) -> datetime:
        """When it failed; where no header says it, the time of its record."""
        return self.why.failed_at or _when(self.record.timestamp)

    def copy(self) -> NewRecord:
        """The same letter once more, in place of this one."""
        record = self.record
        kept = tuple((name, value) for name, value in record.headers if name != COPY_OF)
        headers = (*kept, (COPY_OF, str(record.offset).encode()))
        return NewRecord(record.topic, key_of(record), record.value, headers, record.partition, record.timestamp)


@dataclass(slots=True)
class View:
    """The letters that are there after the records that were applied, in the order of their partitions."""

    keep_values: bool = True
    _alive: dict[tuple[str, int, bytes | None], dict[int, Letter]] = field(default_factory=dict)
    _nulls: dict[tuple[str, int, bytes | None], int] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Take the next record of its partition into account."""
        place = (record.topic, record.partition, record.key)
        letters = self._alive.setdefault(place, {})
        if record.value is None and not is_dead_letter(record.headers):
            self._drop(letters, dropped_offsets(record.headers), record.offset)
            self._nulls[place] = record.offset
        else:
            letters.pop(-1 if (replaced := copy_of(record.headers)) is None else replaced, None)
            kept = record if self.keep_values else replace(record, value=None)
            letters[record.offset] = Letter(kept, read_why(record.headers))
        if not letters:
            del self._alive[place]

    def letters(self) -> Iterator[Letter]:
        """All that are there, the first to fail first."""
        return iter(sorted(self._all(), key=lambda letter: (letter.failed_at, letter.ref)))

    def same_key(self, letter: Letter) -> list[Letter]:
        """The letters under its key, itself included, in the order in which their records once stood."""
        record = letter.record
        letters = self._alive.get((record.topic, record.partition, record.key), {})
        return sorted(letters.values(), key=_stood)

    def endangered(self) -> list[Letter]:
        """Those with a null after them that is not meant for them, in the order of the topic."""
        return sorted(
            (letter for letter in self._all() if letter.record.offset < self._null_after(letter.record)),
            key=lambda letter: letter.ref,
        )

    def _all(self) -> Iterator[Letter]:
        return (letter for letters in self._alive.values() for letter in letters.values())

    def _null_after(self, record: Record) -> int:
        return self._nulls.get((record.topic, record.partition, record.key), -1)

    @staticmethod
    def _drop(letters: dict[int, Letter], offsets: frozenset[int] | None, before: int) -> None:
        for offset in list(letters):
            if offset < before and (offsets is None or offset in offsets):
                del letters[offset]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; what is None does not matter."""

    error_class: str | None = None
    stage: str | None = None
    older_than: timedelta | None = None

    def __call__(self, letter: Letter, now: datetime) -> bool:
        """Whether this one is."""
        why = letter.why
        return (
            (self.error_class is None or self.error_class in (why.error_class, why.exception))
            and (self.stage is None or self.stage == why.stage)
            and (self.older_than is None or now - letter.failed_at >= self.older_than)
        )

    @property
    def empty(self) -> bool:
        """Whether it means all of them."""
        return self == Filter()


def parse_age(text: str) -> timedelta:
    """`90s`, `15m`, `1h`, `2d` or `3w`.

    Raises:
        Refusal: it is none of these.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit()) or len(number) > 5:
        raise Refusal(f"{text!r} is no age; write it as 90s, 15m, 1h, 2d or 3w")
    return timedelta(**{_UNITS[unit]: int(number)})


def newest_of_each_key(letters: Iterable[Letter]) -> list[Letter]:
    """Of letters under one key, the one whose record stood last."""
    newest: dict[tuple[str, int, bytes | None], Letter] = {}
    for letter in letters:
        place = (letter.record.topic, letter.record.partition, letter.record.key)
        if place not in newest or _stood(newest[place]) < _stood(letter):
            newest[place] = letter
    return list(newest.values())


def key_of(record: Record) -> bytes:
    """The key as it stands. A record of somebody else's topic may have none, and then neither has its successor."""
    key: bytes = record.key  # type: ignore[assignment]
    return key


def _stood(letter: Letter) -> tuple[int, int]:
    """Sorts letters of one key. A copy comes later in its topic than its record did."""
    return -1 if letter.why.offset is None else letter.why.offset, letter.record.offset


def _when(timestamp: int) -> datetime:
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # a producer's clock may say anything
        return datetime.fromtimestamp(0, UTC)
