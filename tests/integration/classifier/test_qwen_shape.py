"""At the true shape, with random weights: answers in a batch are the library's own, one by one, token for token."""

from typing import Any

import pytest

from hybrid_memory.classifier.qwen import shape

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def two_layers() -> Any:
    return shape.make_model(layers=2)


@pytest.mark.model
@pytest.mark.slow
def test_batched_answers_are_the_librarys_own() -> None:
    model = shape.make_model()
    work = shape.make_workload(5, prefix=30, answers=(2, 5))
    expected = shape.answer_one_by_one(model, work)
    assert [len(answer) for answer in expected] == work.answers
    assert shape.answer_together(model, work, batch=4) == expected


def test_so_are_those_of_its_first_layers(two_layers: Any) -> None:
    work = shape.make_workload(10, prefix=60, answers=(1, 5))
    expected = shape.answer_one_by_one(two_layers, work)
    assert shape.answer_together(two_layers, work, batch=7) == expected
    assert shape.answer_together(two_layers, work, batch=7, share_prefix=False) == expected


def test_what_a_text_costs_at_least(two_layers: Any) -> None:
    """24 tokens read and 10 written: the layers for each but the last, the vocabulary for each that is written."""
    work = shape.Workload([1] * 120, [[1] * 24], [10])
    layers = 2 * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864)
    assert shape.flops_per_text(two_layers, work) == 2 * ((24 + 9) * layers + 10 * 896 * 151_936)
    assert 1e8 < shape.product_rate(two_layers, rows=64, seconds_at_least=0.05) < 1e16
