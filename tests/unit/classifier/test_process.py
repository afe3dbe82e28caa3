"""A batch to facts, with a classifier that fails on some texts and is away at times."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier import default_rules
from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.classifier.process import Task, process_batch
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.schemas import Memory, Position

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
MODEL = Maker("llm", model="a model", revision="r1", prompt="p1")
RULES = RuleClassifier(default_rules())


class Moody(Classifier):
    """Answers with the first word; raises on "poison", is at a loss over "nonsense", breaks limits over "long"."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    @property
    def maker(self) -> Maker:
        return MODEL

    @property
    def batch_size(self) -> int:
        return 64

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        self.asked.append(tuple(texts))
        if any("away" in text for text in texts):
            raise Unavailable("the model is away")
        if any("poison" in text for text in texts):
            raise ValueError("I cannot eat poison")
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Answer:
        if "nonsense" in text:
            return Answer((), MODEL, fault="the answer has no classifier in it")
        return Answer(("x" * 65,) if "long" in text else (text.split()[0],), MODEL, tokens=3)


def task(text: str, offset: int = 7) -> Task:
    memory = Memory.new(user_id="ada", text=text)
    return Task(memory, Position(topic_id="log", partition=0, offset=offset))


@given(st.lists(st.sampled_from(["good food", "poison", "nonsense", "too long", "tea"]), max_size=40))
def test_each_memory_has_its_fact_and_only_the_culprits_fail(texts: list[str]) -> None:
    outcomes = process_batch(
        [task(text, offset) for offset, text in enumerate(texts)], Moody(), RULES, generation=3, at=AT
    )
    assert [outcome.fact.seq for outcome in outcomes] == list(range(len(texts)))
    for text, outcome in zip(texts, outcomes, strict=True):
        fact, fails = outcome.fact, text in ("poison", "nonsense", "too long")
        assert fact.memory.text == text
        assert (outcome.failure is not None) == fails
        assert fact.provenance.source == ("rules" if fails else "llm")
        assert (fact.generation, fact.provenance.generation, fact.provenance.at) == (3, 3, AT)


@pytest.mark.parametrize(
    ("text", "error_class", "name", "says"),
    [
        ("poison", "poison", "ValueError", "I cannot eat poison"),
        ("nonsense", "policy", "Unclassifiable", "the answer has no classifier in it"),
        ("too long", "schema", "ValidationError", "the classifier's answer breaks a limit"),
    ],
)
def test_a_failure_says_why(text: str, error_class: str, name: str, says: str) -> None:
    [outcome] = process_batch([task(text)], Moody(), RULES, generation=1, at=AT)
    assert outcome.failure is not None
    assert (outcome.failure.error_class, outcome.failure.name, outcome.failure.stage) == (error_class, name, "classify")
    assert says in outcome.failure.message


def test_one_culprit_of_64_is_found_in_two_questions_a_halving() -> None:
    moody = Moody()
    texts = [*["fine"] * 41, "poison", *["fine"] * 22]
    outcomes = process_batch([task(text) for text in texts], moody, RULES, generation=1, at=AT)
    assert [place for place, outcome in enumerate(outcomes) if outcome.failure] == [41]
    assert len(moody.asked) == 1 + 2 * 6


def test_a_classifier_that_is_away_is_nobodys_fault() -> None:
    moody = Moody()
    with pytest.raises(Unavailable):
        process_batch([task("tea"), task("away"), task("poison")], moody, RULES, generation=1, at=AT)
    assert len(moody.asked) == 1


def test_too_few_answers_are_no_answers() -> None:
    class Short(Moody):
        def classify(self, texts: Sequence[str]) -> list[Answer]:
            return super().classify(texts)[: max(1, len(texts) - 1)]

    outcomes = process_batch([task("a"), task("b"), task("c")], Short(), RULES, generation=1, at=AT)
    assert [outcome.fact.classifiers for outcome in outcomes] == [("a",), ("b",), ("c",)]


def test_nothing_is_asked_about_nothing() -> None:
    moody = Moody()
    assert process_batch([], moody, RULES, generation=1, at=AT) == []
    assert moody.asked == []
