"""The check against the small world of the fold: nothing differs at rest, whatever compaction leaves; and every way
in which an index can be wrong is seen."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings

from hybrid_memory.index.points import Point
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    Memory,
    MemoryClassified,
    NewRecord,
    Record,
    encode_fact,
    encode_memory,
)
from hybrid_memory.sink.terms import Unreadable, UnreadableFact
from hybrid_memory.verify.differences import difference
from hybrid_memory.verify.ledger import Ledger
from hybrid_memory.verify.states import NOTHING, Shown
from tests.unit.sink.test_fold_properties import USER, WHEN, Index, Sink, World, actions, classify_rest, log_key, play


def records(world: World) -> tuple[list[Record], list[Record]]:
    """Both topics as Kafka would hand them over."""
    memories, facts = [], []
    for offset, said in enumerate(world.memories):
        if isinstance(said, Unreadable):
            memories.append(Record(MEMORIES, 0, offset, offset * 1000, said.key.encode(), b"{"))
        elif said is not None:
            memories.append(read(encode_memory(said.event, if_seq=said.if_seq), offset))
    for offset, fact in enumerate(world.facts):
        if isinstance(fact, UnreadableFact):
            facts.append(Record(CLASSIFIED, 0, offset, offset * 1000, log_key(fact).encode(), b"{"))
        elif fact is not None:
            facts.append(read(encode_fact(fact, 1), offset))
    return memories, facts


def read(new: NewRecord, offset: int) -> Record:
    topic = CLASSIFIED if new.topic == CLASSIFIED else MEMORIES
    return Record(topic, 0, offset, offset * 1000, new.key, new.value, new.headers)


def checked(world: World, index: Index) -> Ledger:
    """A ledger of this world, compared with this index."""
    ledger, (memories, facts) = Ledger(1, "t"), records(world)
    ledger.memories(memories)
    ledger.facts(facts)
    ledger.compare(1, [], [Shown.of(point) for point in index.values()])
    for keys in ledger.open():
        ledger.compare(2, keys, [])
    assert ledger.still_open == 0
    return ledger


def at_rest(moves: Sequence[tuple]) -> tuple[World, Sink]:  # type: ignore[type-arg]  # of many shapes
    world, sink, zombie = World(), Sink(), Sink()
    if play(world, sink, zombie, moves):
        classify_rest(world, [sink, zombie])
    world.drain([sink, zombie])
    return world, sink


@settings(max_examples=200)
@given(st.lists(actions, max_size=30), st.data())
def test_at_rest_nothing_differs_whatever_compaction_leaves(moves: list[tuple], data: st.DataObject) -> None:  # type: ignore[type-arg]
    world, sink = at_rest(moves)
    assert checked(world, sink.index).kinds() == {}
    marks = st.integers(0, len(world.memories)), st.integers(0, len(world.facts))
    assert checked(world.compacted(data.draw(marks[0]), data.draw(marks[1])), sink.index).kinds() == {}


def wrongs(index: Index) -> Iterator[tuple[str, str, Index]]:
    """(what, key, an index that is wrong in just that)."""
    for key, point in index.items():
        if point.memory is None:
            continue
        others = {other: shown for other, shown in index.items() if other != key}
        yield "missing", key, others
        yield "missing", key, others | {key: tombstone(point)}
        yield "stale", key, others | {key: replace(point, seq=point.seq + 1)}
        memory = point.memory.model_copy(update={"metadata": {"changed": True}})
        yield "text", key, others | {key: replace(point, memory=memory)}
        if point.source == "provided" or point.fact is not None:
            yield "classifiers", key, others | {key: replace(point, classifiers=("another",))}
        yield "classifiers", key, others | {key: replace(point, generation=point.generation + 1, source="llm")}
        yield "unknown", "u/nobody", index | {"u/nobody": replace(point, key="u/nobody")}


def tombstone(point: Point) -> Point:
    return Point(point.key, point.seq, point.appended_at, None, "deleted")


@settings(max_examples=100)
@given(st.lists(actions, min_size=5, max_size=30))
def test_every_wrong_is_seen(moves: list[tuple]) -> None:  # type: ignore[type-arg]
    world, sink = at_rest(moves)
    for what, key, index in wrongs(sink.index):
        ledger = checked(world, index)
        assert [(at, kind) for at, kind, _ in ledger.examples(10)] == [(key, what)]
        assert ledger.kinds() == {what: 1}
    for key, point in sink.index.items():
        if point.memory is None and (lives := [other for other in sink.index.values() if other.memory]):
            risen = replace(lives[0], key=key, seq=point.seq)
            assert checked(world, sink.index | {key: risen}).kinds() == {"resurrected": 1}


def test_what_is_spoken_of_meanwhile_is_compared_again() -> None:
    world, sink = at_rest([("write", own("tea")), ("write", own("milk"))])
    tea, milk = sorted(sink.index)
    ledger = checked(world, {tea: sink.index[tea], milk: replace(sink.index[milk], seq=7)})
    assert ledger.kinds() == {"stale": 1}
    ledger.reopen(1, [tea], if_different=True)
    assert ledger.still_open == 0, "it did not differ"
    ledger.reopen(2, [tea, milk])
    assert ledger.still_open == 0, "another round compared them"
    ledger.reopen(1, [milk], if_different=True)
    assert (list(ledger.open()), ledger.kinds()) == ([[milk]], {})
    ledger.reopen(1, [tea])
    assert ledger.still_open == 2


def test_new_memories_are_left_out_once_all_is_being_compared() -> None:
    world, sink = at_rest([("write", own("tea"))])
    ledger = checked(world, sink.index)
    ledger.close_to_new()
    world.write(own("milk"))
    ledger.memories(records(world)[0][1:])
    assert (ledger.still_open, ledger.compared, ledger.memories_said) == (0, 1, 2)


def test_what_waits_too_long_is_told() -> None:
    shown = Shown(key="u/m", seq=0, state="provisional", generation=0, source="rules", appended_at=1000, memory="x")
    said = replace(NOTHING, seq=0, memory="x")
    assert difference(said, shown) is None
    assert difference(said, shown, provisional_before=999) is None
    found = difference(said, shown, provisional_before=1000)
    assert found is not None
    assert found[0] == "provisional"


def own(text: str) -> Memory:
    """A memory with classifiers of its caller's: no fact is ever made of it."""
    return Memory(user_id=USER, memory_id=f"id of {text}", text=text, classifiers=("own",), created_at=WHEN)


def test_a_fact_of_the_world_is_one() -> None:
    """The worlds above do hold facts that count."""
    moves = [("write", plain("tea")), ("fact", 0, 1, "llm"), ("fact", 0, 2, "rules")]
    world, sink = at_rest(moves)
    assert any(isinstance(fact, MemoryClassified) for fact in world.facts)
    [point] = sink.index.values()
    assert point.generation == 2


def plain(text: str) -> Memory:
    return own(text).model_copy(update={"classifiers": None})
