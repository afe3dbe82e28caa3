"""Which records a job takes, and why it leaves the others; batches lose nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier.process import Task
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.rules import default_rules
from hybrid_memory.replay.batch import batches
from hybrid_memory.replay.choosing import Chooser, key_meant, time_meant
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.schemas import MachineProvenance, Memory, Record, encode_memory
from hybrid_memory.schemas.replays import ReplayBefore, ReplayClassifier, ReplayDefinition, ReplayFilters

TOPIC = TopicInfo("memories", "topic-id", 1)
NOW = datetime(2026, 8, 1, tzinfo=UTC)
RULES = RuleClassifier(default_rules())


def definition(filters: ReplayFilters, generation: int = 2) -> ReplayDefinition:
    return ReplayDefinition(
        job="job",
        created=NOW,
        topic_id=TOPIC.topic_id,
        ranges=(),
        filters=filters,
        classifier=ReplayClassifier(kind="rules"),
        generation=generation,
    )


def record(offset: int, user: str = "ann", name: str = "tea", text: str = "I drink tea", at: int = 0) -> Record:
    new = encode_memory(Memory(user_id=user, memory_id=name, text=text))
    return Record("memories", 0, offset, at, new.key, new.value, new.headers)


def before(*labels: str, generation: int = 1, source: str = "llm") -> ReplayBefore:
    made = {"source": source, "generation": generation, "at": NOW}
    return ReplayBefore(classifiers=labels, provenance=MachineProvenance.model_validate(made))


@pytest.mark.parametrize(
    ("filters", "present", "says"),
    [
        (ReplayFilters(), None, "task"),
        (ReplayFilters(stale=True), None, "task"),
        (ReplayFilters(stale=True), before(generation=1), "task"),
        (ReplayFilters(stale=True), before(generation=2), "has one"),
        (ReplayFilters(stale=True), before(generation=3), "has one"),
        (ReplayFilters(sources=("rules",)), before(source="llm"), "not meant"),
        (ReplayFilters(sources=("rules",)), None, "task"),
        (ReplayFilters(sources=("llm",)), before(), "task"),
        (ReplayFilters(labels=("TEA",)), before("coffee", "tea"), "task"),
        (ReplayFilters(labels=("jazz",)), before("tea"), "not meant"),
        (ReplayFilters(labels=("no such label",)), None, "not meant"),
    ],
)
def test_present_facts_decide(filters: ReplayFilters, present: ReplayBefore | None, says: str) -> None:
    found = Chooser(definition(filters), TOPIC, RULES).choose(record(0), NOW, present)
    assert (found if isinstance(found, str) else "task") == says


def test_a_memory_without_a_fact_has_the_labels_of_the_rules() -> None:
    [answer] = RULES.classify(["I drink green tea every morning"])
    assert answer.classifiers
    chooser = Chooser(definition(ReplayFilters(labels=answer.classifiers[:1])), TOPIC, RULES)
    assert isinstance(chooser.choose(record(0, text="I drink green tea every morning"), NOW, None), Task)


names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=5)


@given(
    users=st.lists(names, max_size=3), keys=st.lists(st.tuples(names, names), max_size=3), at=st.tuples(names, names)
)
def test_a_key_is_meant_as_its_user_and_its_memory_are(
    users: list[str], keys: list[tuple[str, str]], at: tuple[str, str]
) -> None:
    made = {pair: Memory(user_id=pair[0], memory_id=pair[1], text="x").key for pair in [*keys, at]}
    filters = ReplayFilters(users=tuple(users), keys=tuple(made[pair] for pair in keys))
    wanted = (not users or at[0] in users) and (not keys or at in keys)
    assert key_meant(filters, made[at].encode()) == wanted


def test_a_key_that_nobody_can_read_is_meant_only_by_all() -> None:
    assert key_meant(ReplayFilters(), None)
    assert not key_meant(ReplayFilters(users=("ann",)), b"\xff")


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-5, 5))
def test_times_are_from_and_to_before(since: int, until: int, at: int) -> None:
    filters = ReplayFilters(since=NOW + timedelta(seconds=since), until=NOW + timedelta(seconds=until))
    assert time_meant(filters, round((NOW.timestamp() + at) * 1000)) == (since <= at < until)


class Known:
    """What a scan would know."""

    def __init__(self, last: dict[bytes, int]) -> None:
        self._last = last

    def is_last(self, record: Record) -> bool:
        return self._last[record.key or b""] == record.offset

    def before(self, seq: int) -> None:
        return None


@given(
    st.lists(st.sampled_from("abcdef"), max_size=40),
    st.integers(1, 7),
    st.lists(st.integers(0, 9), min_size=1, max_size=9),
)
def test_batches_hold_each_last_record_once_and_pass_over_all_others(
    keys: list[str], size: int, cuts: list[int]
) -> None:
    records = [record(offset, name=key) for offset, key in enumerate(keys)]
    last = {(record.key or b""): record.offset for record in records}

    def reads() -> Iterator[list[Record]]:
        rest = list(records)
        while rest:
            for cut in [*cuts, 1]:
                yield rest[:cut]
                del rest[:cut]

    chooser = Chooser(definition(ReplayFilters()), TOPIC, RULES)
    some = list(batches(reads(), size, chooser, Known(last), 0))  # type: ignore[arg-type]
    taken = [item.record.offset for batch in some for item in batch.items]
    assert taken == sorted(last.values())
    assert sum(batch.skipped["newer"] for batch in some) == len(keys) - len(last)
    assert all(len(batch.items) <= size for batch in some)
    begins = [0, *(batch.next for batch in some)]
    assert begins == sorted(begins)
    assert begins[-1] == len(keys)
    for begin, batch in zip(begins, some, strict=False):
        assert all(begin <= item.record.offset < batch.next for item in batch.items)
