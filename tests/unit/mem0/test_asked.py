"""Which hints Mem0's answers cover."""

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.asked import Asked

IDS, PARTITIONS, OFFSETS = st.sampled_from("abc"), st.integers(0, 1), st.integers(0, 5)


@given(st.lists(st.tuples(IDS, OFFSETS)), IDS, OFFSETS)
def test_a_hint_is_covered_iff_its_memory_was_last_asked_after_it(
    questions: list[tuple[str, int]], mem0_id: str, offset: int
) -> None:
    asked = Asked()
    for of, end in questions:
        asked.note(of, 0, end)
    last = dict(questions).get(mem0_id)
    assert asked.covers(mem0_id, 0, offset) == (last is not None and offset < last)
    assert not asked.covers(mem0_id, 1, offset)


def test_a_partition_that_becomes_ours_anew_knows_nothing() -> None:
    asked = Asked()
    asked.note("a", 0, 5)
    asked.note("b", 1, 5)
    asked.begin(0)
    assert (asked.covers("a", 0, 4), asked.covers("b", 1, 4)) == (False, True)


def test_what_it_forgets_is_asked_again() -> None:
    asked = Asked(most=2)
    for name in ("a", "b", "a", "c"):
        asked.note(name, 0, 5)
    assert [asked.covers(name, 0, 4) for name in "abc"] == [True, False, True]
