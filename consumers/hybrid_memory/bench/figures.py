"""What was measured, and whether it is what was wanted. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A bound, and how to say it."""

    says: str
    bound: float
    at_most: bool

    def met(self, value: float) -> bool:
        """Whether a value keeps to the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, the median where there were many; `memories` is how many the index held.

    `reference` is what it is compared with, in the same unit, and `beside` says what that is. `p99` goes with times.
    """

    name: str
    memories: int
    value: float
    unit: str
    p99: float | None = None
    beside: str = ""
    reference: float | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of its reference."""
        return self.value / self.reference if self.reference else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        return None if self.target is None else self.target.met(self.value)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "memories": self.memories,
            "value": round(self.value, 3),
            "p99": None if self.p99 is None else round(self.p99, 3),
            "unit": self.unit,
            "beside": self.beside or None,
            "reference": None if self.reference is None else round(self.reference, 3),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "target": self.target and self.target.says,
            "bound": self.target and round(self.target.bound, 3),
            "met": self.met,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of the values lies, interpolated between neighbours.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values were measured")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def milliseconds(seconds: Sequence[float], share: float) -> float:
    """A percentile of durations in seconds, in milliseconds."""
    return percentile(seconds, share) * 1000


def at_most_times(reference: float, factor: float, plus: float = 0.0, unit: str = "") -> Target:
    """No more than `factor` × the reference, plus a constant."""
    says = f"≤ {factor:g} ×" + (f" + {plus:g} {unit}" if plus else "")
    return Target(says, factor * reference + plus, at_most=True)


def at_least_times(reference: float, factor: float) -> Target:
    """No less than `factor` × the reference."""
    return Target(f"≥ {factor:g} ×", factor * reference, at_most=False)


def at_most(bound: float, unit: str) -> Target:
    """No more than this."""
    return Target(f"≤ {bound:,g} {unit}", bound, at_most=True)


def times(
    name: str,
    memories: int,
    seconds: Sequence[float],
    beside: str = "",
    reference: float | None = None,
    target: Target | None = None,
) -> Figure:
    """The median and 99th percentile of durations; `reference` in milliseconds."""
    median, p99 = milliseconds(seconds, 0.5), milliseconds(seconds, 0.99)
    return Figure(name, memories, median, "ms", p99, beside, reference, target)


def rates(
    name: str,
    memories: int,
    rate: float,
    beside: str = "",
    reference: float | None = None,
    target: Target | None = None,
) -> Figure:
    """So many a second."""
    return Figure(name, memories, rate, "/s", None, beside, reference, target)
