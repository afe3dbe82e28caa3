"""What a replay changes, counted: against the plain definition, memory by memory."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.replay.churn import Change, count
from hybrid_memory.replay.comparison import Comparison, count_up, to_program
from hybrid_memory.replay.sample import Sample

_LABELS = st.lists(st.sampled_from("abcd"), unique=True, max_size=3).map(tuple)
_WHO = st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.integers(0, 60))
CHANGES = st.dictionaries(_WHO, st.tuples(_LABELS, _LABELS), max_size=40).map(
    lambda made: [Change(user, f"m{n}", "text", *labels) for (user, n), labels in made.items()]
)


def change(before: str, after: str, user: str = "ann", memory: str = "m") -> Change:
    return Change(user, memory, "text", tuple(before), tuple(after))


@given(CHANGES)
def test_churn_is_the_share_of_memories_with_another_set_of_labels(changes: list[Change]) -> None:
    churn = count(changes)
    different = [it for it in changes if set(it.before) != set(it.after)]
    assert (churn.memories, churn.changed) == (len(changes), len(different))
    assert churn.share == (len(different) / len(changes) if changes else 0)
    assert churn.gained == sum(it.before == () and it.after != () for it in changes)
    assert churn.emptied == sum(it.after == () and it.before != () for it in changes)


@given(CHANGES)
def test_each_label_comes_goes_or_stays_on_each_memory_that_has_it(changes: list[Change]) -> None:
    found = {it.label: it for it in count(changes).labels}
    assert set(found) == {label for it in changes for label in (*it.before, *it.after)}
    for label, counted in found.items():
        assert counted.removed + counted.kept == sum(label in it.before for it in changes)
        assert counted.added + counted.kept == sum(label in it.after for it in changes)
        assert counted.kept == sum(label in it.before and label in it.after for it in changes)


@given(CHANGES)
def test_users_add_up_to_the_whole(changes: list[Change]) -> None:
    churn = count(changes)
    assert sum(it.memories for it in churn.users) == churn.memories
    assert sum(it.changed for it in churn.users) == churn.changed
    assert sum(churn.user_shares()) == len(churn.users)


@given(CHANGES)
def test_the_confusion_has_what_stayed_on_its_diagonal_and_each_change_beside_it(changes: list[Change]) -> None:
    churn = count(changes)
    pairs = dict(churn.pairs)
    kept = {it.label: it.kept for it in churn.labels if it.kept}
    assert {old: n for (old, new), n in pairs.items() if old == new} == kept
    beside: Counter[tuple[str | None, str | None]] = Counter()
    for it in changes:
        gone: list[str | None] = [label for label in it.before if label not in it.after]
        new: list[str | None] = [label for label in it.after if label not in it.before]
        if gone or new:
            beside.update((a, b) for a in gone or [None] for b in new or [None])
    assert dict(churn.moves) == beside
    assert [n for _, n in churn.pairs] == sorted(pairs.values(), reverse=True)


@given(CHANGES, st.randoms())
def test_the_order_of_memories_and_of_labels_says_nothing(changes: list[Change], dice: object) -> None:
    mixed = [Change(it.user_id, it.memory_id, it.text, it.before[::-1], it.after[::-1]) for it in changes]
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    assert count(mixed) == count(changes)


def test_a_replacement_a_gain_and_a_loss() -> None:
    churn = count([change("ab", "ac"), change("", "a", memory="n"), change("a", "", "bob"), change("a", "a", "eve")])
    assert churn.percent == 75
    assert dict(churn.pairs) == {("a", "a"): 2, ("b", "c"): 1, (None, "a"): 1, ("a", None): 1}
    assert (churn.gained, churn.emptied) == (1, 1)
    assert churn.user_shares() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]


@given(CHANGES, st.integers(0, 10), st.integers(0, 3), st.randoms())
def test_a_sample_is_the_same_in_any_order_and_grows_with_its_size(
    changes: list[Change], size: int, seed: int, dice: object
) -> None:
    def sampled(of: list[Change], size: int) -> list[Change]:
        sample = Sample(size, seed)
        for it in of:
            sample.add(it)
        return sample.chosen()

    chosen = sampled(changes, size)
    assert len(chosen) == min(size, len(changes))
    assert all(it in changes for it in chosen)
    mixed = list(changes)
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    assert sampled(mixed, size) == chosen
    assert sampled(changes, size + 1)[:size] == chosen


def test_another_seed_samples_others() -> None:
    many = [change("a", "b", memory=f"m{n}") for n in range(200)]
    first, second = Sample(10, 1), Sample(10, 2)
    for it in many:
        first.add(it)
        second.add(it)
    assert first.chosen() != second.chosen()


@given(CHANGES)
def test_one_pass_counts_samples_what_changed_and_keeps_whom_it_was_asked_for(changes: list[Change]) -> None:
    counted = count_up(changes, 5, ["ann", "nobody"])
    assert counted.churn == count(changes)
    assert all(it.changed for it in counted.examples)
    assert counted.of_users == {"ann": [it for it in changes if it.user_id == "ann"], "nobody": []}


def test_as_a_program_reads_it() -> None:
    counted = count_up([change("a", "b"), change("a", "a", "bob")], 5)
    made = to_program(Comparison("job", {"generation": "2"}, counted.churn, counted.examples))
    assert (made["memories"], made["changed"], made["churn"], made["searches"]) == (2, 1, 0.5, None)
    assert made["pairs"][0] == {"before": "a", "after": "a", "memories": 1}
    assert made["examples"][0]["before"] == ["a"]


@pytest.mark.parametrize(("before", "after"), [("", ""), ("ab", "ba")])
def test_no_change(before: str, after: str) -> None:
    assert not change(before, after).changed
    assert count([change(before, after)]).moves == []
