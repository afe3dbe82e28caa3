"""Dead letters as the records that they would become, and why some cannot. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import ValidationError

from hybrid_memory.dlq.conditions import own_condition
from hybrid_memory.dlq.headers import REDRIVEN_FROM, REDRIVES, deaths, original
from hybrid_memory.dlq.letters import Letter, key_of
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import (
    IF_SEQ,
    DecodeError,
    FactSuperseded,
    Headers,
    Memory,
    MemoryClassified,
    NewRecord,
    Record,
    decode_fact,
    decode_memory,
    partition_of,
    split_fact_key,
    split_memory_key,
)

_T = TypeVar("_T")
CLASSIFY = "classify"
EDITED = "the classifier could not do it: a replay reads its memory again, and what it says is not changed here"


class Unfit(Exception):  # noqa: N818
    """This letter cannot be redriven; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A letter of `memories` that can be said again: in `partition`, unless somebody said something newer.

    `own` is its offset in that partition, or None where it stood in another one. `since` is the last offset of which
    its writer knew, where that is known without asking the log.
    """

    letter: Letter
    record: NewRecord
    partition: int
    own: int | None
    since: int | None

    def under(self, if_seq: int) -> NewRecord:
        """Its record under this condition."""
        headers = (*self.record.headers, (IF_SEQ, str(if_seq).encode()))
        return replace(self.record, headers=headers)


def check_allowed(letter: Letter, max_redrives: int) -> None:
    """Whether a redrive may be tried at all.

    Raises:
        Unfit: it was tried too often, or was too large to be kept.
    """
    if letter.why.left_out:
        raise Unfit(
            f"its {letter.why.left_out} was too large for a dead letter; the whole record stands at "
            f"{letter.why.place} for as long as its topic keeps it"
        )
    if letter.why.redrives >= max_redrives:
        times = "once" if letter.why.redrives == 1 else f"{letter.why.redrives} times"
        raise Unfit(f"it was redriven {times} and died again; see why with hm dlq show, or raise --max-redrives")


def memory_candidate(letter: Letter, topic: TopicInfo, value: bytes | None) -> Candidate:
    """A letter of `memories` as the record that it would become, with this value.

    Raises:
        Unfit: it could not be read this time either.
    """
    key = _key(letter, value, Memory)
    record = _as_it_was(letter, key, value)
    _check(decode_memory, record)
    partition = partition_of(key.decode(), topic.partitions)
    here = partition == letter.why.partition
    own = letter.why.offset if here else None
    condition = own_condition(letter.record)
    since = own if own is None or condition is None else min(condition, own)
    return Candidate(letter, _again(letter, topic.name, key, value, partition), partition, own, since)


def fact_record(letter: Letter, topic: TopicInfo, memories: TopicInfo, value: bytes | None) -> NewRecord:
    """A letter of `memories.classified` as the record that it becomes. Its rank is its condition: it needs no other.

    Raises:
        Unfit: it could not be read this time either, or tells of another log.
    """
    key = _key(letter, value, MemoryClassified)
    record = _as_it_was(letter, key, value)
    fact = _check(decode_fact, record)
    if not isinstance(fact, FactSuperseded) and fact.origin.topic_id != memories.topic_id:
        raise Unfit(f"its origin is the topic with id {fact.origin.topic_id}, not {memories.name}; drop it")
    partition = partition_of(split_fact_key(key.decode())[0], topic.partitions)
    return _again(letter, topic.name, key, value, partition)


def foreign_record(letter: Letter, topic: TopicInfo, value: bytes | None) -> NewRecord:
    """A letter of somebody else's topic, to be appended to `topic`: where it stood, if it stood there."""
    number = letter.why.partition
    stays = topic.name == letter.why.topic and number is not None and number < topic.partitions
    return _again(letter, topic.name, key_of(letter.record), value, number if stays else None)


def _again(letter: Letter, topic: str, key: bytes, value: bytes | None, partition: int | None) -> NewRecord:
    dead = letter.record.headers
    headers: Headers = (*original(dead), *deaths(dead), (REDRIVES, str(letter.why.redrives + 1).encode()))
    if letter.why.place is not None:
        headers += ((REDRIVEN_FROM, letter.why.place.encode()),)
    return NewRecord(topic, key, value, headers, partition)


def _as_it_was(letter: Letter, key: bytes, value: bytes | None) -> Record:
    return replace(letter.record, key=key, value=value, headers=original(letter.record.headers))


def _check(decode: Callable[[Record], _T], record: Record) -> _T:
    try:
        return decode(record)
    except DecodeError as error:
        raise Unfit(f"it could not be read this time either ({error}); mend it with --edit, or drop it") from error


def _key(letter: Letter, value: bytes | None, model: type[Memory] | type[MemoryClassified]) -> bytes:
    """Its key; where that cannot be read, or was made up, the one that its value says."""
    split = split_memory_key if model is Memory else split_fact_key
    try:
        split((letter.record.key or b"").decode())
        return key_of(letter.record)
    except ValueError:
        pass
    try:
        return model.model_validate_json(value or b"", strict=True).key.encode()
    except ValidationError:
        return key_of(letter.record)
