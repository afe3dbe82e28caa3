"""Each rule of docs/order.md, once, by example; and each again after a crash before the answers."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hybrid_memory.index.points import Point
from hybrid_memory.schemas import (
    FactSuperseded,
    MachineProvenance,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    Position,
)
from hybrid_memory.sink.fold import fold
from hybrid_memory.sink.terms import Answer, Fact, Input, Labels, Log, Mend, Unreadable, Write

KEY = "ann/m"
GONE = MemoryDeleted(user_id="ann", memory_id="m")
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Rules:
    version = "v1"

    def classify(self, text: str) -> Labels:
        from hybrid_memory.classifier.rules import Labels as Found

        return Found((f"about {text}",), None)


def memory(text: str, memory_id: str | None = "m", **rest: object) -> Memory:
    return Memory.new(user_id="ann", memory_id=memory_id, text=text, created_at=WHEN, **rest)


def fact(of: Memory, seq: int, *labels: str, generation: int = 1, source: str = "llm") -> Fact:
    return Fact(
        MemoryClassified(
            memory=of,
            seq=seq,
            generation=generation,
            classifiers=labels,
            provenance=MachineProvenance.model_validate({"source": source, "generation": generation, "at": WHEN}),
            origin=Position(topic_id="t", partition=0, offset=seq),
        )
    )


def run(before: list[Input], batch: list[Input]) -> tuple[dict[str, Point], list[Answer]]:
    """Fold `batch` over what `before` came to; checked to answer the same when it is delivered again."""
    points = fold({}, before, rules=Rules(), log=Log("t", 1)).points
    folded = fold(points, batch, rules=Rules(), log=Log("t", 1))
    again = fold({**points, **folded.points}, batch, rules=Rules(), log=Log("t", 1))
    assert again.answers == folded.answers
    assert {**points, **folded.points, **again.points} == {**points, **folded.points}
    return {**points, **folded.points}, folded.answers


def superseded(seq: int, generation: int) -> FactSuperseded:
    return FactSuperseded(memory_key=KEY, seq=seq, generation=generation)


@pytest.mark.parametrize(
    ("batch", "text", "answers"),
    [
        pytest.param([Write(5, 0, memory("b"))], "b", [], id="the later append wins"),
        pytest.param([Write(5, 0, GONE)], None, [], id="a delete deletes"),
        pytest.param([Write(5, 0, memory("b"), if_seq=3)], "b", [], id="a condition that holds"),
        pytest.param([Write(5, 0, memory("b"), if_seq=2)], "a", [Mend(memory("a"), 5)], id="a condition that fails"),
        pytest.param([Write(5, 0, GONE, if_seq=2)], "a", [Mend(memory("a"), 5)], id="a delete whose condition fails"),
        pytest.param(
            [Write(5, 0, memory("a"), if_seq=2)],
            "a",
            [Mend(memory("a"), 5)],
            id="what is said already is taken, and said once more under a condition that holds",
        ),
        pytest.param([Unreadable(5, KEY)], "a", [Mend(memory("a"), 5)], id="poison over a live memory"),
        pytest.param([Unreadable(5, KEY), Write(6, 0, memory("b"))], "b", [], id="poison that a later record hides"),
        pytest.param(
            [Unreadable(5, KEY), Write(6, 0, memory("b"), if_seq=3)],
            "b",
            [Mend(memory("b"), 6)],
            id="a condition from before the poison: compaction could leave only the poison and this",
        ),
        pytest.param(
            [Write(5, 0, memory("b")), Write(6, 0, memory("c"), if_seq=3)],
            "b",
            [Mend(memory("b"), 6)],
            id="of two edits of one version the first wins",
        ),
        pytest.param([Write(2, 0, memory("b"))], "a", [], id="an older record, delivered again"),
    ],
)
def test_memories(batch: list[Input], text: str | None, answers: list[Answer]) -> None:
    points, given = run([Write(3, 0, memory("a"))], batch)
    shown = points[KEY].memory
    assert (shown.text if shown else None) == text
    assert given == answers


def test_a_condition_fails_over_a_tombstone_too_and_the_delete_is_said_again() -> None:
    points, answers = run([Write(3, 0, memory("a")), Write(4, 0, GONE)], [Write(5, 0, memory("b"), if_seq=3)])
    assert not points[KEY].live
    assert answers == [Mend(GONE, 5)]


def test_poison_where_nothing_is_needs_no_answer() -> None:
    assert run([], [Unreadable(5, KEY)]) == ({}, [])


def test_poison_over_a_tombstone_is_answered_or_compaction_would_forget_the_delete() -> None:
    points, answers = run([Write(3, 0, memory("a")), Write(4, 0, GONE)], [Unreadable(5, KEY)])
    assert not points[KEY].live
    assert answers == [Mend(GONE, 5)]


def test_two_sinks_that_answer_the_same_come_to_rest() -> None:
    before: list[Input] = [Write(3, 0, memory("a")), Unreadable(4, KEY)]
    points, answers = run(before, [Write(5, 0, memory("a"), if_seq=4), Write(6, 0, memory("a"), if_seq=4)])
    assert points[KEY].seq == 6
    assert answers == []


def test_adding_a_text_again_does_not_undo_its_edit() -> None:
    added = memory("tea", memory_id=None)
    edited = added.model_copy(update={"text": "coffee"})
    before: list[Input] = [Write(3, 0, added), Write(4, 0, edited, if_seq=3)]
    points, answers = run(before, [Write(5, 0, added)])
    assert points[added.key].memory == edited
    assert answers == [Mend(edited, 5)]


def test_an_id_of_the_callers_own_may_change_its_text_unconditionally() -> None:
    points, answers = run([Write(3, 0, memory("tea"))], [Write(4, 0, memory("coffee"))])
    assert points[KEY].memory == memory("coffee")
    assert answers == []


def test_pinned_classifiers_outlive_an_update_of_the_same_text() -> None:
    pinned = memory("Tea", classifiers=("mine",), pinned=True)
    points, answers = run([Write(3, 0, pinned)], [Write(4, 0, memory("tea"))])
    kept = memory("tea", classifiers=("mine",), pinned=True)
    assert points[KEY].memory == kept
    assert (points[KEY].classifiers, points[KEY].source) == (("mine",), "provided")
    assert answers == [Mend(kept, 4)]


def test_over_a_gap_nothing_is_concluded_from_an_older_point() -> None:
    pinned = memory("tea", classifiers=("mine",), pinned=True)
    points, answers = run([Write(3, 0, pinned)], [Write(9, 0, memory("tea"), whole_since=8)])
    assert points[KEY].memory == memory("tea")
    added = memory("tea", memory_id=None)
    edited = added.model_copy(update={"text": "coffee"})
    points, more = run([Write(3, 0, edited)], [Write(9, 0, added, whole_since=8)])
    assert points[added.key].memory == added
    assert answers == more == []


@pytest.mark.parametrize("update", [memory("coffee"), memory("tea", classifiers=("new",))])
def test_pinned_classifiers_yield_to_another_text_and_to_the_caller(update: Memory) -> None:
    points, answers = run([Write(3, 0, memory("tea", classifiers=("mine",), pinned=True))], [Write(4, 0, update)])
    assert points[KEY].memory == update
    assert answers == []


def test_a_models_classifiers_stay_until_the_fact_of_the_new_version() -> None:
    said = memory("tea")
    before: list[Input] = [Write(3, 0, said), fact(said, 3, "hot drink")]
    points, answers = run(before, [Write(4, 0, memory("tea", metadata={"cup": 1}))])
    point = points[KEY]
    assert (point.classifiers, point.source, point.generation) == (("hot drink",), "rules", 0)
    assert point.provenance is not None
    assert point.provenance.source == "llm"
    assert answers == [superseded(3, 1)]
    points, _ = run([*before, Write(4, 0, said)], [fact(said, 4, "warm", source="rules")])
    assert points[KEY].classifiers == ("warm",)


def test_another_text_gets_the_rules_at_once() -> None:
    said = memory("tea")
    points, answers = run([Write(3, 0, said), fact(said, 3, "hot drink")], [Write(4, 0, memory("coffee"))])
    assert points[KEY].classifiers == ("about coffee",)
    assert answers == [superseded(3, 1)]


def test_a_delete_takes_the_fact_with_it() -> None:
    said = memory("tea")
    _, answers = run([Write(3, 0, said), fact(said, 3, "hot drink")], [Write(4, 0, GONE)])
    assert answers == [superseded(3, 1)]


@pytest.mark.parametrize(
    ("late", "wins", "answer"),
    [
        (fact(memory("tea"), 3, "x", generation=3), True, superseded(3, 2)),
        (fact(memory("tea"), 3, "x", generation=2), True, None),
        (fact(memory("tea"), 3, "x", generation=1), False, superseded(3, 1)),
        (fact(memory("tea"), 2, "x", generation=9), False, superseded(2, 9)),
        (fact(memory("tea"), 4, "x", generation=9), False, superseded(4, 9)),
        (fact(memory("tea"), 3, "x", generation=3, source="rules"), True, superseded(3, 2)),
    ],
)
def test_of_two_facts_the_higher_generation_wins(late: Fact, wins: bool, answer: Answer | None) -> None:
    points, answers = run([Write(3, 0, memory("tea")), fact(memory("tea"), 3, "y", generation=2)], [late])
    assert points[KEY].classifiers == (("x",) if wins else ("y",))
    assert answers == ([answer] if answer else [])


def test_a_fact_that_loses_to_one_of_the_same_key_is_answered_with_the_better_one() -> None:
    better = fact(memory("tea"), 3, "y", generation=2)
    points, answers = run(
        [Write(3, 0, memory("tea")), better], [fact(memory("tea"), 3, "x", generation=2, source="rules")]
    )
    assert points[KEY].classifiers == ("y",)
    assert answers == [better.event]


def test_a_callers_classifiers_beat_every_machine() -> None:
    said = memory("tea", classifiers=("mine",))
    points, answers = run([Write(3, 0, said)], [fact(said, 3, "x", generation=9)])
    assert points[KEY].classifiers == ("mine",)
    assert answers == [superseded(3, 9)]


def test_a_fact_never_creates_a_point() -> None:
    points, answers = run([], [fact(memory("tea"), 3, "x")])
    assert points == {}
    assert answers == [superseded(3, 1)]


def test_what_was_answered_before_is_applied_in_silence() -> None:
    said, edit = memory("tea"), memory("coffee")
    records: list[Input] = [
        Write(3, 0, said),
        Write(5, 0, edit, if_seq=2),
        Unreadable(6, KEY),
        fact(said, 3, "hot drink"),
        Write(7, 0, said, if_seq=6),
    ]
    folded = fold({}, [replace(record, answered=True) for record in records], rules=Rules(), log=Log("t", 1))
    assert folded.answers == []
    assert folded.points[KEY].memory == said


def test_an_edit_may_let_pinned_classifiers_go() -> None:
    """Who edits has seen them; an add of the same text has not."""
    pinned = Write(3, 3, memory("tea", classifiers=("own",), pinned=True))
    edit = Write(4, 4, memory("tea"), if_seq=3)
    points, answers = run([pinned], [edit])
    assert (points[KEY].classifiers, points[KEY].memory, answers) == (("about tea",), memory("tea"), [])
    points, answers = run([pinned, edit], [Write(5, 5, memory("tea"))])
    assert points[KEY].classifiers == ("about tea",)
    # One that has not seen the pin does not take it away.
    points, answers = run([Write(2, 2, memory("tea")), pinned], [Write(4, 4, memory("tea"), if_seq=2)])
    assert (points[KEY].classifiers, len(answers)) == (("own",), 1)
