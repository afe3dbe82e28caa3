"""The request rate, on a clock of our own."""

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.runtime.access.rate import Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_one_at_a_time() -> None:
    clock = Clock()
    limiter = Limiter(2, 3, clock)
    assert [limiter.wait("a") for _ in range(3)] == [0, 0, 0]
    assert limiter.wait("a") == 0.5
    assert limiter.wait("a") == 0.5, "a refused request takes nothing"
    clock.now += 0.5
    assert [limiter.wait("a"), limiter.wait("a")] == [0, 0.5]


def test_each_has_a_bucket_of_its_own() -> None:
    limiter = Limiter(1, 1, Clock())
    assert [limiter.wait(who) for who in ("a", "b", "a", "b")] == [0, 0, 1, 1]


@given(
    st.floats(0.1, 1000),
    st.integers(1, 50),
    st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_never_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    clock = Clock()
    limiter = Limiter(rate, burst, clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += limiter.wait("a") == 0
    assert passed <= burst + rate * sum(pauses[1:]) + 1e-6


@given(st.floats(0.1, 1000), st.integers(1, 50))
def test_who_waits_as_told_is_let_through(rate: float, burst: int) -> None:
    clock = Clock()
    limiter = Limiter(rate, burst, clock)
    for _ in range(burst):
        assert limiter.wait("a") == 0
    clock.now += limiter.wait("a")
    assert limiter.wait("a") == 0


def test_it_forgets_whose_bucket_is_full_again_and_never_keeps_too_many() -> None:
    clock = Clock()
    limiter = Limiter(1, 5, clock, most=100)
    for n in range(1000):
        limiter.wait(str(n))
    assert len(limiter) == 100
    clock.now += 60
    limiter.wait("last")
    assert len(limiter) == 1
