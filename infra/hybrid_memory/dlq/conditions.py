"""Under which `hm-if-seq` a dead memory record may be said again, so that it overwrites nothing newer. Pure.

The offset of the dead record is the condition, unless the sink has mended since: where the record stood over a live
point, the sink appended the point's state again, under a condition of its own, and that mend has a higher seq. It only
says what was said before, so it is no newer word, and its offset becomes the condition. See docs/order.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hybrid_memory.dlq.headers import REDRIVEN_FROM
from hybrid_memory.schemas import IF_SEQ, DecodeError, Record, decode_memory, if_seq

SINK_SOURCE = "urn:hybrid-memory:sink"
"""The `ce_source` of what the sink appends."""


@dataclass(frozen=True, slots=True)
class Under:
    """It may be appended under this condition."""

    if_seq: int


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Somebody said something newer of this memory, at this offset."""

    offset: int


@dataclass(frozen=True, slots=True)
class Redriven:
    """It was appended before, at this offset, by a redrive that was cut off before it could drop the letter."""

    offset: int


Verdict = Under | Overtaken | Redriven


def judge(place: str | None, since: int, own: int | None, later: Iterable[Record]) -> Verdict:
    """What the records of its key that came `later` mean for a dead record.

    `place` is where it stood, as TOPIC:PARTITION:OFFSET. `since` is the last offset of the partition of which its
    writer knew: its `own` offset, unless it came with a condition, or stood in another partition (`own` is None). Only
    in the first case can a mend be told from news: compaction may have taken what it answers.
    """
    condition, said = since, {since}
    for record in later:
        if record.offset <= since or record.offset == own:
            continue
        if place is not None and record.header(REDRIVEN_FROM) == place:
            return Redriven(record.offset)
        if not _readable(record):
            said.add(record.offset)
        elif own == since and _is_mend(record) and if_seq(record) in said:
            said.add(record.offset)
            condition = record.offset
        else:
            return Overtaken(record.offset)
    return Under(max(condition, 0))


def own_condition(record: Record) -> int | None:
    """The condition that the dead record came with, if it can be read."""
    try:
        return if_seq(record)
    except DecodeError:
        return None


def _readable(record: Record) -> bool:
    try:
        decode_memory(record)
        if_seq(record)
    except DecodeError:
        return False
    return True


def _is_mend(record: Record) -> bool:
    return record.header("ce_source") == SINK_SOURCE and record.header(IF_SEQ) is not None
