"""Makes `memories` say what Mem0 says, for some hints at a time."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Self

from hybrid_memory.mem0.asked import Asked
from hybrid_memory.mem0.decide import owed
from hybrid_memory.mem0.hints import hint, records
from hybrid_memory.mem0.mapping import Rule, Unmappable, classified
from hybrid_memory.mem0.patience import until_done
from hybrid_memory.mem0.platform_api import PlatformApi
from hybrid_memory.mem0.states import Mem0Memory, from_platform
from hybrid_memory.mem0.status import Rejected
from hybrid_memory.mem0.told import Told, state_of
from hybrid_memory.mem0.view import View
from hybrid_memory.runtime.deadletters import Failure, dead_letter
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import ErrorClass, Memory, NewRecord, Record, encode_memory, trace_headers
from hybrid_memory.schemas.mem0 import SOURCE, Mem0Hint

_ROUNDS = 8
STAGE = "mem0"

Answer = Mem0Memory | None | Rejected
"""How a memory is in Mem0, None where it is gone; or that Mem0 will not say."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A hint as it was taken. `believed`: what it carries is as good as an answer of Mem0's."""

    record: Record
    hint: Mem0Hint
    believed: bool = False

    @property
    def redriven(self) -> bool:
        """Whether somebody took it from the dead letters, where it must come again if nothing is better."""
        return self.record.header("hm-redrive-count") is not None


@dataclass(slots=True)
class Done:
    """What became of the hints of a batch, counted by memories."""

    published: int = 0
    deleted: int = 0
    unchanged: int = 0
    dead: int = 0

    def __iadd__(self, other: Self) -> Self:
        self.published += other.published
        self.deleted += other.deleted
        self.unchanged += other.unchanged
        self.dead += other.dead
        return self


@dataclass(slots=True)
class Settler:
    """Reads, publishes what differs, and reads once more until nothing does. Not thread-safe.

    Every record is appended under `hm-if-seq` of all that was read of the log. So a publisher that was asleep with an
    old answer in its hands overwrites nothing: whoever came after it wins, and it sees that in its next round.
    """

    api: PlatformApi
    rule: Rule
    view: View
    publisher: Publisher
    pool: ThreadPoolExecutor
    stop: threading.Event
    hints_ends: Callable[[], Mapping[int, int]]
    """Where each partition of `mem0.hints` ends now."""
    asked: Asked
    told: Told
    topic_prefix: str = ""

    def settle(self, batch: Sequence[Noticed]) -> Done:
        """Return when `memories` says what Mem0 says of all these, durably.

        Raises:
            Stopped: we were told to stop; nothing is lost if the batch is not committed.
            Refusal: Mem0 or Kafka does not let us in.
        """
        done, letters = Done(), dict[str, NewRecord]()
        unsettled = {noticed.hint.mem0_id: noticed for noticed in sorted(batch, key=lambda one: one.redriven)}
        for number in range(_ROUNDS):
            before = len(unsettled) - len(letters)
            unsettled = until_done(partial(self._round, unsettled, done, letters), self.stop)
            if number == 0:
                done.unchanged = before - len(unsettled) - len(letters)
            if not unsettled:
                break
        # So lively that the others would wait for them for ever.
        again = [hint(mem0_id, "publisher", project=self.rule.origin) for mem0_id in unsettled]
        until_done(lambda: self.publisher.send_all([*letters.values(), *records(again)]), self.stop)
        done.dead = len(letters)
        return done

    def _round(self, unsettled: Mapping[str, Noticed], done: Done, letters: dict[str, NewRecord]) -> dict[str, Noticed]:
        """Publish what differs now; this is to be looked at again.

        The log is read before Mem0 is asked: whatever is appended from then on may rest on a newer answer than ours,
        so ours is to lose to it.
        """
        self.view.catch_up()
        answers, now = self._answers(unsettled.values()), datetime.now(UTC)
        new, again = list[NewRecord](), dict[str, Noticed]()
        for mem0_id, noticed in unsettled.items():
            try:
                found = self._records(noticed, answers[mem0_id], now)
            except (Unmappable, Rejected) as error:
                letters |= self._letter(noticed, answers[mem0_id], error)
                continue
            if found:
                new += found
                again[mem0_id] = noticed
        self.publisher.send_all(new)
        done.deleted += sum(record.value is None for record in new)
        done.published += sum(record.value is not None for record in new)
        return again

    def _answers(self, batch: Iterable[Noticed]) -> dict[str, Answer]:
        """How each memory is in Mem0: as a bulk read found it, where that will do, else as Mem0 says now."""
        answers: dict[str, Answer] = {}
        ask = list[Noticed]()
        for noticed in batch:
            if (carried := self._carried(noticed)) is not None:
                answers[noticed.hint.mem0_id] = carried
            else:
                ask.append(noticed)
        return answers | self._asked(ask)

    def _asked(self, batch: Sequence[Noticed]) -> dict[str, Answer]:
        if not batch:
            return {}
        ends, ids = self.hints_ends(), [noticed.hint.mem0_id for noticed in batch]
        answers = dict(zip(ids, self.pool.map(self._ask, ids), strict=True))
        for noticed in batch:
            number = noticed.record.partition
            self.asked.note(noticed.hint.mem0_id, number, ends[number])
        return answers

    def _carried(self, noticed: Noticed) -> Mem0Memory | None:
        """What came with the hint: if the log never heard of the memory, or says this already. Else Mem0 is asked."""
        if not noticed.believed or noticed.hint.read is None:
            return None
        try:
            state = from_platform(noticed.hint.read.memory)
            held = self.view.there.held(state.id)
            known = not held or not owed(state.id, state, held, self.rule, datetime.now(UTC))
        except ValueError:
            return None
        return state if known and state.id == noticed.hint.mem0_id else None

    def _ask(self, mem0_id: str) -> Answer:
        try:
            return until_done(lambda: self.api.get(mem0_id), self.stop)
        except Rejected as error:
            return error

    def _records(self, noticed: Noticed, answer: Answer, now: datetime) -> list[NewRecord]:
        if isinstance(answer, Rejected):
            raise answer
        held = self.view.there.held(noticed.hint.mem0_id)
        return [
            encode_memory(
                classified(event, noticed.hint.read) if isinstance(event, Memory) else event,
                if_seq=self.view.condition(event.key),
                source=SOURCE,
                trace=trace_headers(noticed.record),
            )
            for event in owed(noticed.hint.mem0_id, answer, held, self.rule, now)
        ]

    def _letter(self, noticed: Noticed, answer: Answer, error: Unmappable | Rejected) -> dict[str, NewRecord]:
        """The dead letter by the memory's id; none where there is one of this very state."""
        mem0_id, failure = noticed.hint.mem0_id, _failure(answer, error)
        self.told.catch_up()
        if self.told.has(mem0_id, failure.state) and not noticed.redriven:
            return {}
        return {mem0_id: dead_letter(noticed.record, failure, self.topic_prefix)}


def _failure(answer: Answer, error: Unmappable | Rejected) -> Failure:
    error_class: ErrorClass = error.error_class if isinstance(error, Unmappable) else "policy"
    state = state_of(answer if isinstance(answer, Mem0Memory) else str(error))
    return Failure(error_class, type(error).__name__, str(error), STAGE, state=state)
