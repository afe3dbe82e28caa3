"""A listing whose rows come, change and go while it is read, in any order: every row that stays is seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.mem0.sweep import MARGIN, RowPage, Span, sweep

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Memory:
    id: str
    created_at: datetime
    updated_at: datetime


Order = Callable[[Memory], datetime]
ORDERS: dict[str, Order] = {"created": lambda row: row.created_at, "updated": lambda row: row.updated_at}


class Platform:
    """Before each page something happens, and the clock moves on."""

    def __init__(self, rows: int, size: int, order: str, descending: bool, plan: list[tuple[str, int, int]]) -> None:
        self.size, self.order, self.descending = size, ORDERS[order], descending
        times = [_BEGIN + timedelta(seconds=number) for number in range(rows)]
        self.rows = {str(number): Memory(str(number), at, at) for number, at in enumerate(times)}
        self.now = _BEGIN + timedelta(seconds=rows) + MARGIN
        self.plan, self.changed, self.read = list(plan), dict[str, datetime](), 0

    def clock(self) -> datetime:
        return self.now

    def page(self, span: Span, number: int) -> RowPage[Memory]:
        self.read += 1
        if self.plan:
            self._happen(*self.plan.pop(0))
        rows = [row for row in self.rows.values() if _within(row.updated_at, span)]
        rows.sort(key=lambda row: (self.order(row), row.id), reverse=self.descending)
        return RowPage(len(rows), rows[(number - 1) * self.size : number * self.size])

    def _happen(self, what: str, which: int, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        names = sorted(self.rows)
        name = names[which % len(names)] if names else "0"
        if what == "delete":
            self.rows.pop(name, None)
        elif what == "update" and name in self.rows:
            self.rows[name] = replace(self.rows[name], updated_at=self.now)
            self.changed[name] = self.now
        elif what == "add":
            new = f"new {self.now.isoformat()} {len(self.plan)}"
            self.rows[new] = Memory(new, self.now, self.now)
            self.changed[new] = self.now


def _within(moment: datetime, span: Span) -> bool:
    return (span.since is None or moment >= span.since) and (span.until is None or moment < span.until)


happenings = st.lists(
    st.tuples(st.sampled_from(["delete", "update", "add"]), st.integers(0, 1000), st.integers(0, 120)), max_size=30
)


@given(
    rows=st.integers(0, 40),
    size=st.integers(1, 7),
    order=st.sampled_from(sorted(ORDERS)),
    descending=st.booleans(),
    plan=happenings,
)
def test_every_row_that_stays_is_seen(
    rows: int, size: int, order: str, descending: bool, plan: list[tuple[str, int, int]]
) -> None:
    platform = Platform(rows, size, order, descending, plan)
    began = platform.now
    seen = {row.id for some in sweep(platform.page, platform.clock) for row in some}
    stayed = {row.id for row in platform.rows.values() if row.id not in platform.changed}
    assert stayed <= seen
    # And what changed since, but for the last moments, which are still in motion.
    late = max(began, platform.now - 2 * MARGIN)
    assert {name for name, at in platform.changed.items() if at < late and name in platform.rows} <= seen


def test_a_listing_that_stands_still_is_read_once() -> None:
    platform = Platform(1000, 200, "created", True, [])
    seen = [row.id for some in sweep(platform.page, platform.clock) for row in some]
    assert sorted(seen) == sorted(platform.rows)
    assert platform.read == 1 + 5 + 1  # how many, all of them, and what is younger than a minute


def test_the_naive_reader_would_miss_some() -> None:
    """The platform of these tests does shift under one who reads from the first page to the last."""
    platform = Platform(20, 5, "created", False, [("delete", 0, 0)] * 4)
    seen = {row.id for number in range(1, 5) for row in platform.page(Span(), number).rows}
    assert set(platform.rows) - seen
