"""Appends what is redriven, then drops the letters: in this order, so that nothing can be lost between the two."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from hybrid_memory.dlq.headers import BECAUSE, DROPPED
from hybrid_memory.dlq.letters import Letter, View, key_of
from hybrid_memory.dlq.plan import Step
from hybrid_memory.dlq.reading import Log
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import NewRecord, Position

_T = TypeVar("_T")
_CHUNK = 100
_LONGEST_REASON = 1024


@dataclass(slots=True)
class Sender:
    """Writes to one dead-letter topic and to where its letters came from.

    `view` and `ranges` are what was read of the topic before; names are those on the cluster.
    """

    log: Log
    publisher: Publisher
    topic: TopicInfo
    view: View
    ranges: Mapping[int, tuple[int, int]]

    def redrive(self, steps: Sequence[Step], rate: float | None = None) -> None:
        """Append the records of these steps, at most `rate` a second, and drop their letters when that is confirmed.

        Raises:
            Unavailable: not all was confirmed; call `hm dlq redrive` again.
            Refusal: Kafka will not have one; letters of records that were appended are dropped or will be found out.
        """
        written: dict[int, int] = {}
        chunk = _CHUNK if rate is None else max(1, min(_CHUNK, int(rate)))
        for some in _chunks(steps, chunk):
            self._append(some, rate)
            nulls = [null for step in some for null in _nulls(step.drops, "redriven")]
            self._note(self.publisher.send_all(nulls), written)
        self._save(written)

    def drop(self, letters: Sequence[Letter], reason: str) -> None:
        """Drop these letters, saying why.

        Raises:
            Unavailable, Refusal: as `redrive`.
        """
        written: dict[int, int] = {}
        for some in _chunks(list(_nulls(letters, reason)), _CHUNK):
            self._note(self.publisher.send_all(some), written)
        self._save(written)

    def _append(self, steps: Iterable[Step], rate: float | None) -> None:
        futures = []
        for step in steps:
            if step.record is not None:
                futures.append(self.publisher.send(step.record))
                if rate is not None:
                    time.sleep(1 / rate)
        for future in futures:
            future.result()

    def _note(self, positions: Iterable[Position], written: dict[int, int]) -> None:
        for position in positions:
            written[position.partition] = max(position.offset, written.get(position.partition, -1))

    def _save(self, written: Mapping[int, int]) -> None:
        """Append again, as copies, the letters that compaction would take with our nulls, or with earlier ones."""
        since = {number: (self.ranges[number][1], last + 1) for number, last in written.items()}
        for record in self.log.read(self.topic, since):
            self.view.apply(record)
        self.publisher.send_all([letter.copy() for letter in self.view.endangered()])


def check_reason(reason: str) -> str:
    """A reason as it may stand in a header.

    Raises:
        Refusal: there is none, or it is too long.
    """
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise Refusal(f"--reason takes 1 to {_LONGEST_REASON} characters, since it stays in the topic with the null")
    return reason


def _nulls(letters: Iterable[Letter], reason: str) -> Iterator[NewRecord]:
    """One null for all the letters of a key, since a null stands for them all when the topic is compacted."""
    of_key: dict[tuple[str, int, bytes | None], list[Letter]] = {}
    for letter in letters:
        of_key.setdefault((letter.record.topic, letter.record.partition, letter.record.key), []).append(letter)
    for (topic, partition, _), some in of_key.items():
        offsets = ",".join(str(letter.record.offset) for letter in some)
        headers = ((BECAUSE, reason.encode()), (DROPPED, offsets.encode()))
        yield NewRecord(topic, key_of(some[0].record), None, headers, partition)


def _chunks(items: Sequence[_T], size: int) -> Iterator[list[_T]]:
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some
