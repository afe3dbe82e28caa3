"""Whether an import keeps its speed, by when it asked for pages."""

from itertools import accumulate

import pytest

from hybrid_memory.bench.mem0 import halves
from hybrid_memory.runtime.errors import Refusal


def asked(*gaps: float) -> list[float]:
    return list(accumulate((10.0, *gaps)))


def test_what_is_steady_is_as_fast_later() -> None:
    first, later = halves(asked(*[0.1] * 100), 1010)
    assert first == pytest.approx(later) == pytest.approx(100)


def test_what_slows_down_is_seen() -> None:
    first, later = halves(asked(*[0.1] * 50, *[0.2] * 50), 1010)
    assert later == pytest.approx(first / 2)


def test_a_slow_start_and_a_pause_decide_nothing() -> None:
    gaps = [0.1] * 100
    gaps[0], gaps[70] = 9.0, 5.0
    first, later = halves(asked(*gaps), 1010)
    assert first == pytest.approx(later)


def test_too_few_pages_say_nothing() -> None:
    with pytest.raises(Refusal, match="ten pages"):
        halves(asked(0.1, 0.1), 30)
