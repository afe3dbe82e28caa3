"""The fold in a whole small world: a log, writers, a sink that crashes, compaction, rebuilds.

The world is one partition of both topics. It is driven by hypothesis through any interleaving; at its end everybody
comes to rest, and then the index, the log and any rebuild must say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import hypothesis.strategies as st
from hypothesis import given, settings

from hybrid_memory.index.points import Point
from hybrid_memory.schemas import (
    FactSuperseded,
    MachineProvenance,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    MemoryEvent,
    Position,
    derive_memory_id,
    fact_key,
    memory_key,
)
from hybrid_memory.sink.fold import fold
from hybrid_memory.sink.terms import Fact, Input, Log, Mend, Null, Unreadable, UnreadableFact, Write

USER = "u"
TEXTS = ("tea", "Tea", "milk")
# One memory with an id of its caller's, two with the id that a text gives.
IDS = ("given", derive_memory_id(USER, "tea"), derive_memory_id(USER, "milk"))
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
LOG = Log("t", 1)


@dataclass(frozen=True)
class Labels:
    classifiers: tuple[str, ...]
    topic: str | None


class OneLabel:
    version = "v1"

    def classify(self, text: str) -> Labels:
        return Labels((f"rules {text}",), text if text == "milk" else None)


RULES = OneLabel()

Index = dict[str, Point]


@dataclass
class Sink:
    """An index and how far it has applied both topics."""

    index: Index = field(default_factory=dict)
    memories: int = 0
    facts: int = 0
    whole_since: int = 0

    def copy(self) -> "Sink":
        return Sink(dict(self.index), self.memories, self.facts, self.whole_since)


@dataclass
class World:
    """Both topics, uncompacted: what stands at offset n is item n; None was compacted away."""

    memories: list[Write | Unreadable | None] = field(default_factory=list)
    facts: list[MemoryClassified | FactSuperseded | UnreadableFact | None] = field(default_factory=list)
    answers: int = 0

    def write(self, event: MemoryEvent, if_seq: int | None = None) -> None:
        offset = len(self.memories)
        self.memories.append(Write(offset, offset * 1000, event, if_seq))

    def step(self, sink: Sink, count: int, fact_count: int, crash: int | None = None, answered: bool = False) -> None:
        """One batch of a sink. `crash` n: it dies after the index was written and n answers were given."""
        end = min(sink.memories + count, len(self.memories))
        batch: list[Input] = []
        for offset in range(sink.memories, end):
            record = self.memories[offset]
            if record is None:
                sink.whole_since = offset + 1
            else:
                read = replace(record, answered=answered)
                batch.append(replace(read, whole_since=sink.whole_since) if isinstance(read, Write) else read)
        fact_end = sink.facts
        while fact_end < min(sink.facts + fact_count, len(self.facts)):
            fact = self.facts[fact_end]
            if isinstance(fact, MemoryClassified | UnreadableFact) and fact.seq >= end:
                break  # held back
            if fact is not None:
                batch.append(replace(as_input(fact), answered=answered))
            fact_end += 1
        folded = fold(sink.index, batch, rules=RULES, log=LOG)
        sink.index.update(folded.points)
        for answer in folded.answers[:crash]:
            self.answers += 1
            if isinstance(answer, Mend):
                self.write(answer.event, answer.if_seq)
            else:
                self.facts.append(answer)
        if crash is None:
            sink.memories, sink.facts = end, fact_end

    def drain(self, sinks: Sequence[Sink]) -> None:
        for _ in range(200):
            if all(sink.memories == len(self.memories) and sink.facts == len(self.facts) for sink in sinks):
                return
            for sink in sinks:
                self.step(sink, 3, 3)
        raise AssertionError("the sinks answer each other for ever")

    def compacted(self, memories: int, facts: int) -> "World":
        """Legal compaction: before a mark only the last record of each key is left."""
        world = World(list(self.memories), list(self.facts))
        for log, mark in ((world.memories, memories), (world.facts, facts)):
            last = {log_key(record): offset for offset, record in enumerate(log[:mark]) if record is not None}
            for offset in range(min(mark, len(log))):
                record = log[offset]
                if record is not None and last[log_key(record)] != offset:
                    log[offset] = None
        return world


def as_input(fact: MemoryClassified | FactSuperseded | UnreadableFact) -> Fact | Null | UnreadableFact:
    """A record of `memories.classified` as the sink reads it."""
    if isinstance(fact, MemoryClassified):
        return Fact(fact)
    return Null(fact.memory_key, fact.seq, fact.generation) if isinstance(fact, FactSuperseded) else fact


def log_key(record: Write | Unreadable | MemoryClassified | FactSuperseded | UnreadableFact) -> str:
    """The key of a record in its own topic."""
    if isinstance(record, UnreadableFact):
        return fact_key(record.key, record.seq, record.generation)
    return record.key


def machine_fact(memory: Memory, seq: int, generation: int, source: str, word: str = "") -> MemoryClassified:
    return MemoryClassified(
        memory=memory,
        seq=seq,
        generation=generation,
        classifiers=(f"{source} {memory.text} {generation}{word}",),
        provenance=MachineProvenance.model_validate({"source": source, "generation": generation, "at": WHEN}),
        origin=Position(topic_id="t", partition=0, offset=seq),
    )


def view(index: Index) -> dict[str, Point]:
    """What the index shows; what it remembers of the way there is bookkeeping."""
    return {key: replace(point, stale=(), since=0) for key, point in index.items() if point.live}


memories = st.builds(
    lambda memory_id, text, classifiers, pinned: Memory(
        user_id=USER,
        memory_id=memory_id,
        text=text,
        classifiers=classifiers,
        pinned=pinned and classifiers is not None,
        created_at=WHEN,
    ),
    st.sampled_from(IDS),
    st.sampled_from(TEXTS),
    st.sampled_from([None, None, None, ("own",)]),
    st.booleans(),
)
deletes = st.builds(MemoryDeleted, user_id=st.just(USER), memory_id=st.sampled_from(IDS))
events = st.one_of(memories, memories, deletes)

actions = st.one_of(
    st.tuples(st.just("write"), events),
    st.tuples(st.just("edit"), events, st.integers(0, 4)),
    st.tuples(st.just("poison"), st.sampled_from(IDS)),
    st.tuples(st.just("fact"), st.integers(0, 3), st.integers(1, 2), st.sampled_from(["llm", "rules"])),
    st.tuples(st.just("fact"), st.integers(0, 3), st.integers(1, 2), st.sampled_from(["llm", "rules"])),
    st.tuples(st.just("poison fact"), st.integers(0, 3), st.integers(1, 2)),
    st.tuples(st.just("step"), st.integers(0, 3), st.integers(1, 4), st.integers(0, 4), st.none() | st.integers(0, 3)),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("leave behind")),
    st.tuples(st.just("restore")),
    st.tuples(st.just("deliver again"), st.integers(1, 5), st.integers(0, 5)),
)


def play(world: World, sink: Sink, zombie: Sink, moves: Sequence[tuple], late: Sink | None = None) -> bool:  # type: ignore[type-arg]  # of many shapes
    """Make the moves; whether a fact was ever written."""
    kept, stream = sink.copy(), False
    for move in moves:
        match move:
            case ("write", event):
                world.write(event)
            case ("edit", event, age):
                point = sink.index.get(event.key)
                world.write(event, max(0, (point.seq if point else len(world.memories)) - age))
            case ("poison", memory_id):
                world.memories.append(Unreadable(len(world.memories), memory_key(USER, memory_id)))
            case ("fact", where, generation, source) if world.memories:  # of one of the last records
                record = world.memories[max(0, len(world.memories) - 1 - where)]
                if isinstance(record, Write) and isinstance(record.event, Memory) and not record.event.classifiers:
                    world.facts.append(machine_fact(record.event, record.seq, generation, source))
                    stream = True
            case ("poison fact", where, generation) if world.memories:
                record = world.memories[max(0, len(world.memories) - 1 - where)]
                assert record is not None
                world.facts.append(UnreadableFact(record.key, record.seq, generation))
            case ("step", who, count, fact_count, crash):  # a sink may die before any of its answers
                world.step(zombie if who == 0 else sink, count, fact_count, crash)
            case ("snapshot",):
                kept = sink.copy()
            case ("leave behind",) if late is not None:
                late.index, late.memories, late.facts = dict(sink.index), sink.memories, sink.facts
            case ("restore",):
                sink.index, sink.memories, sink.facts = dict(kept.index), kept.memories, kept.facts
            case ("deliver again", back, facts_back):
                sink.memories, sink.facts = max(0, sink.memories - back), max(0, sink.facts - facts_back)
    return stream


def classify_rest(world: World, sinks: Sequence[Sink]) -> None:
    """The stream catches up: each live memory without its caller's classifiers gets a fact of its last version."""
    for _ in range(50):
        world.drain(sinks)
        late = [
            point
            for point in sinks[0].index.values()
            if point.memory is not None and point.source != "provided" and point.fact is None
        ]
        if not late:
            return
        for point in late:
            assert point.memory is not None
            world.facts.append(machine_fact(point.memory, point.seq, 1, "llm"))
    raise AssertionError("the stream never catches up")


@settings(max_examples=400, deadline=None)
@given(st.lists(actions, max_size=30), st.data())
def test_at_rest_log_index_and_rebuild_agree(moves: list[tuple], data: st.DataObject) -> None:  # type: ignore[type-arg]
    world, sink, zombie, late = World(), Sink(), Sink(), Sink()
    stream = play(world, sink, zombie, moves, late)
    if stream:
        classify_rest(world, [sink, zombie])
    world.drain([sink, zombie])

    # Whichever sink applied the log, it shows the same, and what the rules say in plain words.
    assert view(sink.index) == view(zombie.index)
    assert {key: shown(point) for key, point in view(sink.index).items()} == obvious(world)

    # The last record of each key, alone, says what the index shows.
    for key, words in last_words(world).items():
        assert (point.memory if (point := sink.index.get(key)) else None) == words

    # Whatever compaction leaves, and however a rebuild cuts it into batches, it shows the same.
    marks = st.tuples(st.integers(0, len(world.memories)), st.integers(0, len(world.facts)))
    memory_mark, fact_mark = data.draw(marks)
    compacted, rebuilt = world.compacted(memory_mark, fact_mark), Sink()
    while rebuilt.memories < len(world.memories) or rebuilt.facts < len(world.facts):
        compacted.step(rebuilt, data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)), answered=True)
    assert view(rebuilt.index) == view(sink.index)

    # And the facts that count, and no others, are left in the log; none that nobody can read.
    left = world.compacted(len(world.memories), len(world.facts)).facts
    assert not any(isinstance(fact, UnreadableFact) for fact in left)
    counts = {(point.key, *point.fact) for point in sink.index.values() if point.fact}
    assert {(f.memory.key, f.seq, f.generation) for f in left if isinstance(f, MemoryClassified)} == counts

    # One that is restored from a copy goes on from there, in silence over what was answered.
    restored, last = late.copy(), {key: point.memory for key, point in view(sink.index).items()}
    while restored.memories < len(world.memories) or restored.facts < len(world.facts):
        compacted.step(restored, data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)), answered=True)
    assert view(restored.index) == view(sink.index)

    # A sink that was away while the log was compacted, and then answers too, changes no memory.
    compacted.drain([late])
    assert {key: point.memory for key, point in view(late.index).items()} == last


def shown(point: Point) -> tuple[Memory | None, tuple[str, ...]]:
    return point.memory, point.classifiers


def obvious(world: World) -> dict[str, tuple[Memory, tuple[str, ...]]]:
    """The slow model: one record after the other, each rule in a line, every fact looked at afterwards."""
    memories: dict[str, Memory | None] = {}
    seqs: dict[str, int] = {}
    for offset, record in enumerate(world.memories):
        if not isinstance(record, Write):
            continue
        said, has = record.event if isinstance(record.event, Memory) else None, memories.get(record.key)
        if record.if_seq is not None and seqs.get(record.key, -1) > record.if_seq and said != has:
            continue
        if record.if_seq is None and said and has and said.has_derived_id and not said.same_text(has):
            continue
        pinned = has is not None and has.pinned and record.if_seq is None
        if said and has and pinned and said.classifiers is None and said.same_text(has):
            said = said.model_copy(update={"classifiers": has.classifiers, "pinned": True})
        memories[record.key], seqs[record.key] = said, offset
    result = {}
    for key, memory in memories.items():
        if memory is not None:
            facts = [
                f for f in world.facts if isinstance(f, MemoryClassified) and (f.memory.key, f.seq) == (key, seqs[key])
            ]
            best = max(facts, key=lambda f: (f.generation, f.provenance.source == "llm"), default=None)
            made = best.classifiers if best else RULES.classify(memory.text).classifiers
            result[key] = (memory, made if memory.classifiers is None else memory.classifiers)
    return result


def last_words(world: World) -> dict[str, Memory | None]:
    """What the last record of each key says, as a rebuild after compaction would read it."""
    words: dict[str, Memory | None] = {}
    for record in world.memories:
        if isinstance(record, Write):
            words[record.key] = record.event if isinstance(record.event, Memory) else None
        elif isinstance(record, Unreadable) and words.get(record.key) is not None:
            words[record.key] = Memory(user_id=USER, memory_id="x", text="left in the log by a poison record")
    return words


def test_the_null_for_a_poison_fact_does_not_take_a_good_one_with_it() -> None:
    """The good one was written between the poison and the sink's answer: after both, the null comes last."""
    tea = Memory(user_id=USER, memory_id="given", text="tea", created_at=WHEN)
    world, sink, zombie = World(), Sink(), Sink()
    play(world, sink, zombie, [("write", tea), ("poison fact", 0, 1), ("fact", 0, 1, "llm"), ("step", 1, 1, 1, None)])
    world.drain([sink, zombie])
    assert sink.index[tea.key].source == "llm"
    [left] = [fact for fact in world.compacted(1, len(world.facts)).facts if isinstance(fact, MemoryClassified)]
    assert left.classifiers == sink.index[tea.key].classifiers


@settings(max_examples=300, deadline=None)
@given(
    st.lists(actions.filter(lambda move: move[0] in ("write", "edit", "poison", "fact", "poison fact")), max_size=20),
    st.data(),
)
def test_a_batch_is_its_records_one_by_one(moves: list[tuple], data: st.DataObject) -> None:  # type: ignore[type-arg]
    """Folding records together gives what folding them singly gives."""
    world = World()
    play(world, Sink(), Sink(), moves)
    records: list[Input] = [record for record in world.memories if record]
    for fact in world.facts:
        if isinstance(fact, MemoryClassified | UnreadableFact):
            records.append(Fact(fact) if isinstance(fact, MemoryClassified) else fact)
    together = fold({}, records, rules=RULES, log=LOG)
    singly: Index = {}
    for record in records:
        singly.update(fold(singly, [record], rules=RULES, log=LOG).points)
    assert view(together.points) == view(singly)
    cut = data.draw(st.integers(0, len(records)))
    again = fold(together.points, records[cut:], rules=RULES, log=LOG)
    assert view({**together.points, **again.points}) == view(together.points)
