"""The heart of the sink: what the index and the log must say after some records. Pure.

The order rule, and why each answer is owed, is told in docs/order.md. In short: the later append wins, only
`memories` creates or deletes, and whatever compaction may keep must be what the index shows. So a record that is not
applied as it stands is answered with the point's present state, appended under the offset of the last record seen:
whichever of them compaction leaves, the answer comes after and wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeGuard

from hybrid_memory.index.points import Point, State, rank
from hybrid_memory.schemas import (
    FactEvent,
    FactSuperseded,
    MachineProvenance,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    Provenance,
    split_memory_key,
)
from hybrid_memory.sink.terms import Fact, Folded, Input, Log, Mend, Null, Rules, Unreadable, UnreadableFact, Write


def fold(
    points: Mapping[str, Point],
    records: Iterable[Input],
    *,
    rules: Rules,
    log: Log,
    expect_stream: bool = False,
) -> Folded:
    """Apply records, in order, to the points of their keys.

    `points` holds what the index has of the records' keys. Applying the same records again, or a tail of them over
    the result, gives the same points and the same answers, so a crash between any two steps costs nothing. A record
    that was `answered` before, by the sink of an earlier index, is applied as it stands and nothing is said of it:
    the log holds the answer already, further on.
    """
    batch = _Batch(points, rules, log, "provisional" if expect_stream else "final")
    for record in records:
        batch.apply(record)
    return batch.result()


class _Batch:
    def __init__(self, points: Mapping[str, Point], rules: Rules, log: Log, rules_state: State) -> None:
        self._before = points
        self._rules = rules
        self._log = log
        self._rules_state: State = rules_state
        self._after: dict[str, Point] = {}
        self._facts: dict[str, FactEvent] = {}
        self._owed: dict[str, int] = {}  # key -> the last offset seen that compaction must not leave to stand

    def apply(self, record: Input) -> None:
        point = self._after.get(record.key) or self._before.get(record.key)
        if isinstance(record, Fact):
            self._apply_fact(record, point)
        elif isinstance(record, UnreadableFact):
            if not record.answered:
                self._answer_for(record.key, (record.seq, record.generation), point)
        elif isinstance(record, Null):
            if not record.answered and _shows(point, (record.seq, record.generation)):
                self._say_again(point)
        elif isinstance(record, Unreadable):
            self._refuse(record, point, mend=True)
        else:
            self._apply_write(record, point)

    def result(self) -> Folded:
        return Folded(self._after, [*self._mends(), *self._facts.values()])

    # memories

    def _apply_write(self, record: Write, point: Point | None) -> None:
        if point is not None and record.seq <= point.seq:
            self._see_again(record, point)
        elif point is not None and _must_not_stand(record, point):
            self._refuse(record, point, mend=True)
        else:
            self._put(self._version(record, point), point, record.answered)
            if self._owed.get(record.key, -1) <= (record.seq if record.if_seq is None else record.if_seq):
                self._owed.pop(record.key, None)
            if not record.answered and _must_be_answered(record, self._after[record.key]):
                self._owed[record.key] = record.seq

    def _see_again(self, record: Write, point: Point) -> None:
        """A record that was folded before; the crash may have come before its answers."""
        if record.seq < point.seq:
            self._refuse(record, point, mend=point.memory != _memory(record))
        elif not record.answered:
            self._supersede(point.key, point.stale)
            if _must_be_answered(record, point):
                self._owed[point.key] = record.seq

    def _refuse(self, record: Write | Unreadable, point: Point | None, mend: bool) -> None:
        """Leave the point as it is. An earlier record is owed nothing, unless the point stands under a condition."""
        if point is None or record.answered:
            return
        if record.seq < point.seq:
            mend = mend and point.condition is not None and point.condition < record.seq
        if mend:
            self._owed[record.key] = max(record.seq, self._owed.get(record.key, record.seq))

    def _version(self, record: Write, point: Point | None) -> Point:
        event = record.event
        if isinstance(event, MemoryDeleted):
            return Point(record.key, record.seq, record.at, None, "deleted", condition=record.if_seq)
        if point is not None and _keeps_pin(record, point):
            assert point.memory is not None
            event = event.model_copy(update={"classifiers": point.memory.classifiers, "pinned": True})
        labels = self._rules.classify(event.text)
        version = Point(
            key=record.key,
            seq=record.seq,
            appended_at=record.at,
            memory=event,
            state=self._rules_state,
            topic=event.topic or labels.topic,
            classifiers=labels.classifiers,
            provenance=_provenance("rules", record.at, self._rules.version),
            condition=record.if_seq,
        )
        if event.classifiers is not None:
            provenance = _provenance("provided", record.at)
            return replace(
                version, classifiers=event.classifiers, source="provided", provenance=provenance, state="final"
            )
        if point is not None and _keeps_llm(event, point):
            return replace(version, classifiers=point.classifiers, provenance=point.provenance)
        return version

    def _mends(self) -> Iterable[Mend]:
        for key, seen in self._owed.items():
            point = self._after.get(key) or self._before[key]
            user_id, memory_id = split_memory_key(key)
            event = point.memory or MemoryDeleted(user_id=user_id, memory_id=memory_id)
            yield Mend(event, if_seq=max(seen, point.seq))

    # memories.classified

    def _apply_fact(self, record: Fact, point: Point | None) -> None:
        fact = record.event
        its_rank = rank(fact.seq, fact.provenance.source, fact.generation)
        if point is None or not point.live or point.seq != fact.seq or its_rank < point.rank:
            if not record.answered:
                self._answer_for(record.key, (fact.seq, fact.generation), point)
            return
        upgraded = replace(
            point,
            classifiers=fact.classifiers,
            generation=fact.generation,
            source=fact.provenance.source,
            provenance=Provenance(**dict(fact.provenance)),
            state="final",
        )
        self._put(upgraded, point, record.answered)
        self._facts.pop(fact.key, None)

    def _answer_for(self, key: str, fact: tuple[int, int], point: Point | None) -> None:
        """A null; but where the fact that is shown has the same key, that one again, or compaction would lose it."""
        if _shows(point, fact):
            self._say_again(point)
        else:
            self._supersede(key, [fact])

    def _say_again(self, point: Point) -> None:
        """The fact whose classifiers the point shows."""
        assert point.memory is not None
        assert point.provenance is not None
        shown = MemoryClassified(
            memory=point.memory,
            seq=point.seq,
            generation=point.generation,
            classifiers=point.classifiers,
            provenance=MachineProvenance(**dict(point.provenance)),
            origin=self._log.position(point.key, point.seq),
        )
        self._facts[shown.key] = shown

    # both

    def _put(self, version: Point, point: Point | None, answered: bool) -> None:
        """Write a version, and answer the facts that it makes obsolete, those of a version not yet answered too."""
        stale: list[tuple[int, int]] = []
        if point is not None and (point.key in self._after or point.rank == version.rank):
            stale.extend(point.stale)
        if point is not None and point.fact is not None and point.fact != version.fact:
            stale.append(point.fact)
        if not answered:
            self._supersede(version.key, stale)
        same = point is not None and point.memory == version.memory
        since = point.since if point is not None and same else version.seq
        self._after[version.key] = replace(version, since=since, stale=tuple(dict.fromkeys(stale)))

    def _supersede(self, key: str, facts: Iterable[tuple[int, int]]) -> None:
        for seq, generation in facts:
            event = FactSuperseded(memory_key=key, seq=seq, generation=generation)
            self._facts[event.key] = event


def _must_not_stand(record: Write, point: Point) -> bool:
    """Whether a newer record may not be applied: its condition fails, or it repeats a text that was edited since.

    One that says what the point says already may always: refused, two sinks would answer each other for ever.
    """
    if record.answered:
        return False
    if record.if_seq is not None:
        return point.seq > record.if_seq and point.memory != _memory(record)
    event, shown = record.event, _shown_just_before(record, point)
    return isinstance(event, Memory) and shown is not None and event.has_derived_id and not event.same_text(shown)


def _must_be_answered(record: Write, version: Point) -> bool:
    """Whether the record that made this version would not make it again over all that compaction may leave.

    It gave up its classifiers to pinned ones; or its condition failed and it was only taken because it said the same,
    but not the same as every version that its condition did not know of.
    """
    if version.memory != _memory(record):
        return True
    return version.condition is not None and version.condition < version.since < version.seq


def _keeps_pin(record: Write, point: Point) -> bool:
    """Whether the pinned classifiers stay. An edit (its condition holds here) has seen them, and may let them go."""
    event, shown = record.event, _shown_just_before(record, point)
    if not isinstance(event, Memory) or shown is None or record.answered or record.if_seq is not None:
        return False
    return event.classifiers is None and shown.pinned and event.same_text(shown)


def _shown_just_before(record: Write, point: Point) -> Memory | None:
    """The memory as it was when the record was appended, or None where that cannot be known."""
    return point.memory if point.seq >= record.whole_since else None


def _keeps_llm(event: Memory, point: Point) -> bool:
    """Whether a model's classifiers hold for this version too, until its own fact arrives."""
    made_by = point.provenance.source if point.provenance is not None else None
    return point.memory is not None and made_by == "llm" and point.memory.text == event.text


def _memory(record: Write) -> Memory | None:
    return record.event if isinstance(record.event, Memory) else None


def _provenance(source: str, at: int, taxonomy: str | None = None) -> Provenance:
    when = datetime.fromtimestamp(at / 1000, UTC)
    return Provenance.model_validate({"source": source, "taxonomy": taxonomy, "at": when})


def _shows(point: Point | None, fact: tuple[int, int]) -> TypeGuard[Point]:
    """Whether the point's classifiers are those of this fact: (seq, generation)."""
    return point is not None and point.fact == fact
