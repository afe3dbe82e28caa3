"""Whether a job's fact still matters: against the fold, which is what the sink will make of it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.index.points import Point
from hybrid_memory.replay.before import befores, changes, maker, restored
from hybrid_memory.replay.latest import Known, Latest
from hybrid_memory.replay.standing import known, promotes, reverts_to
from hybrid_memory.schemas import MachineProvenance, Memory, MemoryClassified, Position
from hybrid_memory.schemas.replays import ReplayBefore, ReplayResult
from hybrid_memory.sink.fold import fold
from hybrid_memory.sink.terms import Fact, Input, Log, Write

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
MEMORY = Memory.new(user_id="ann", memory_id="m", text="I love sushi", created_at=NOW)
SEQ = 7
REVERTED = 9
RULES = RuleClassifier(default_rules())


def fact(generation: int, label: str, source: str = "llm", at: datetime = NOW) -> MemoryClassified:
    provenance = MachineProvenance.model_validate(
        {"source": source, "model": label, "generation": generation, "at": at}
    )
    origin = Position(topic_id="t", partition=0, offset=SEQ)
    return MemoryClassified(
        memory=MEMORY, seq=SEQ, generation=generation, classifiers=(label,), provenance=provenance, origin=origin
    )


FACTS = st.builds(fact, st.integers(1, 4), st.sampled_from(["a", "b"]), st.sampled_from(["llm", "rules"]))


def shown(facts: list[MemoryClassified]) -> Point:
    """The point after these facts, by the sink's own fold."""
    records: list[Input] = [Write(SEQ, 0, MEMORY), *(Fact(it) for it in facts)]
    [point] = fold({}, records, rules=default_rules(), log=Log("t", 1)).points.values()
    return point


def best(facts: list[MemoryClassified]) -> Known | None:
    """The best of them, by the table that a look at the log fills."""
    with Latest() as latest:
        for it in facts:
            latest.put_facts([known(it)])
        return latest.best(SEQ)


@given(st.lists(FACTS, max_size=5), FACTS)
def test_what_is_left_alone_would_change_nothing_and_what_is_promoted_is_shown(
    there: list[MemoryClassified], mine: MemoryClassified
) -> None:
    before, after = shown(there), shown([*there, mine])
    reason = promotes(mine, best(there))
    if reason is None:
        assert (after.classifiers, after.generation) == (mine.classifiers, mine.generation)
        assert promotes(mine, best([*there, mine])) == "there already"
    else:
        assert (after.classifiers, after.generation) == (before.classifiers, before.generation)
        assert (reason == "there already") == (best(there) == known(mine))


@given(st.lists(FACTS, max_size=4), FACTS, st.none() | FACTS)
def test_a_reversion_touches_what_shows_the_job_s_fact_and_nothing_else(
    there: list[MemoryClassified], mine: MemoryClassified, earlier: MemoryClassified | None
) -> None:
    result = ReplayResult(job="j", fact=mine, before=earlier and said(earlier))
    decide = reverts_to(REVERTED)
    point = shown(there)
    reason = decide(mine, best(there))
    shows_it = point.generation == mine.generation and point.classifiers == mine.classifiers
    assert (reason is None) <= shows_it
    if reason is None:
        [back] = restored([result], RULES, REVERTED)
        again = shown([*there, back])
        wanted = ("cuisine type",) if earlier is None else earlier.classifiers
        assert (again.classifiers, again.generation) == (wanted, REVERTED)
        assert decide(mine, best([*there, back])) == "there already"
    else:
        assert reason == "replaced since"


def said(of: MemoryClassified) -> ReplayBefore:
    return ReplayBefore(classifiers=of.classifiers, provenance=of.provenance)


def test_a_batch_done_twice_said_the_same() -> None:
    assert known(fact(1, "a")) == known(fact(1, "a", at=LATER))
    assert known(fact(1, "a")) != known(fact(1, "b"))


def test_without_an_earlier_fact_the_rules_speak() -> None:
    results = [
        ReplayResult(job="j", fact=fact(2, "a")),
        ReplayResult(job="j", fact=fact(2, "a"), before=said(fact(1, "b"))),
    ]
    assert [it.before for it in changes(iter(results), RULES)] == [("cuisine type",), ("b",)]
    assert [it.before_by for it in changes(results, RULES)] == [
        f"rules, taxonomy {RULES.maker.taxonomy}",
        "b, generation 1",
    ]
    assert [it.provenance.generation for it in befores(results, RULES)] == [0, 1]
    assert [it.provenance.source for it in restored(results, RULES, 5)] == ["rules", "llm"]


def test_who_made_it_is_told_in_a_few_words() -> None:
    provenance = MachineProvenance(source="llm", model="Qwen/Qwen2.5", prompt="v1", generation=2, at=NOW)
    assert maker(provenance) == "Qwen2.5, prompt v1, generation 2"
