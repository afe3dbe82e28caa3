"""How texts are cut into batches, and what is remembered when memory runs out."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier.qwen.batches import Budget, is_out_of_memory

LENGTHS = st.lists(st.integers(1, 600), max_size=200)


@given(LENGTHS, st.integers(1, 70), st.integers(1, 5000))
def test_each_text_once_and_within_the_budget(lengths: list[int], texts: int, tokens: int) -> None:
    batches = list(Budget(texts, tokens).cut(lengths))
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= texts
        assert len(batch) == 1 or len(batch) * max(lengths[at] for at in batch) <= tokens
    inside = [(lengths[batch[-1]], lengths[batch[0]]) for batch in batches]
    assert all(shortest >= longest for (shortest, _), (_, longest) in pairwise(inside))


def test_batches_are_even() -> None:
    assert [len(batch) for batch in Budget(64, 10**6).cut([20] * 65)] == [33, 32]


@given(LENGTHS.filter(lambda lengths: len(lengths) > 1), st.integers(2, 64))
def test_a_batch_that_was_too_much_does_not_come_again(lengths: list[int], texts: int) -> None:
    budget = Budget(texts, 10**6)
    first = [lengths[at] for at in next(budget.cut(lengths))]
    budget.halve(first)
    again = next(budget.cut(lengths))
    assert len(again) <= max(1, len(first) // 2)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
)
def test_out_of_memory_is_known(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_what_the_allocators_really_say_is_known() -> None:
    import torch

    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"))
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(error.value)


def test_other_errors_are_others() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
