"""Percentiles, ratios, targets, and how they are shown."""

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.bench.figures import (
    Figure,
    at_least_times,
    at_most,
    at_most_times,
    milliseconds,
    percentile,
    rates,
    times,
)
from hybrid_memory.bench.report import as_json, cells, table, verdict

SECONDS = st.lists(st.floats(0, 1e3), min_size=1, max_size=50)

FAST = times("search", 1000, [0.010, 0.012, 0.030], "embedder alone", 10.0, at_most_times(10.0, 1.5))
SLOW = times("one", 1000, [0.030], "embedder alone", 10.0, at_most_times(10.0, 1.6, 5, "ms"))
PLAIN = Figure("memory of broker", 1000, 284.4, "MB")


@given(SECONDS)
def test_the_median_is_the_middle(values: list[float]) -> None:
    assert percentile(values, 0.5) == pytest.approx(statistics.median(values))
    assert percentile(values, 0) == min(values)
    assert percentile(values, 1) == max(values)


@given(SECONDS, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_grow(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert percentile(values, low) <= percentile(values, high) * (1 + 1e-9)


def test_between_two_values_it_is_between_them() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 0.99) == pytest.approx(4.96)
    assert milliseconds([0.001, 0.002], 0.5) == pytest.approx(1.5)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (at_most_times(10, 1.6, 5, "ms"), 21.0, True),
        (at_most_times(10, 1.6, 5, "ms"), 21.1, False),
        (at_least_times(100, 0.8), 80.0, True),
        (at_least_times(100, 0.8), 79.9, False),
        (at_most(2000, "MB"), 2000.1, False),
    ],
)
def test_a_target_is_met_or_missed(target: object, value: float, met: bool) -> None:
    assert target.met(value) is met  # type: ignore[attr-defined]


def test_a_ratio_needs_a_reference() -> None:
    assert FAST.ratio == pytest.approx(1.2)
    assert rates("batches", 1, 104.0, "reference", 52.0).ratio == 2
    assert PLAIN.ratio is None
    assert PLAIN.met is None


def test_a_line_of_the_table() -> None:
    assert cells(SLOW) == (
        "one", "1,000", "30.0 ms", "30.0 ms", "embedder alone 10.0 ms", "3.00", "≤ 1.6 × + 5 ms", "[bold red]no[/]",
    )  # fmt: skip
    assert cells(PLAIN) == ("memory of broker", "1,000", "284 MB", "", "", "", "", "")
    assert table([FAST, SLOW, PLAIN]).row_count == 3


def test_a_missed_target_is_said() -> None:
    assert verdict([PLAIN]) == "nothing that was measured has a target"
    assert verdict([FAST, PLAIN]) == "all 1 targets are met"
    assert verdict([FAST, SLOW, PLAIN]) == "1 of 2 targets are MISSED: one at 1,000"


def test_json_holds_all() -> None:
    result = json.loads(json.dumps(as_json([FAST, SLOW, PLAIN], {"samples": 3})))
    assert result["samples"] == 3
    assert result["missed"] == ["one at 1,000"]
    assert [figure["met"] for figure in result["figures"]] == [True, False, None]
    assert result["figures"][0]["value"] == 12.0
    assert result["figures"][1]["bound"] == 21.0
