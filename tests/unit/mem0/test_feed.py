"""A feed of either order, with events that come late and pages that shift while they are read: none is missed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid_memory.mem0.feed import Feed, FeedEvent, FeedPage, Window

OVERLAP = 60
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def event(name: object, second: float) -> FeedEvent:
    return FeedEvent(str(name), f"memory {name}", _BEGIN + timedelta(seconds=second))


class Platform:
    """A feed in the order of time, or the other way round. `arriving` come one by one, each before another page."""

    def __init__(self, size: int, newest_first: bool) -> None:
        self.size, self.newest_first = size, newest_first
        self.events: list[FeedEvent] = []
        self.arriving: list[FeedEvent] = []
        self.read = 0

    def page(self, number: int) -> FeedPage:
        self.read += 1
        if self.arriving:
            self.events.append(self.arriving.pop(0))
        ordered = sorted(self.events, key=lambda event: (event.at, event.id), reverse=self.newest_first)
        return FeedPage(len(ordered), ordered[(number - 1) * self.size : number * self.size])


seconds = st.lists(st.tuples(st.integers(0, 20), st.integers(0, OVERLAP)), max_size=60)
"""Of each event: how much the clock moves on before it, and how late it appears."""


@given(
    steps=seconds,
    size=st.integers(1, 7),
    newest_first=st.booleans(),
    looks=st.integers(1, 6),
    restarts=st.sets(st.integers(0, 5)),
    stops=st.sets(st.integers(0, 5)),
)
# The first events are pushed to a page further down during each look, until the window has passed them.
@example(
    steps=[(0, 0)] * 10 + [(1, 0), (20, 0), (20, 0), (20, 0), (0, 0)],
    size=1,
    newest_first=True,
    looks=4,
    restarts=set(),
    stops=set(),
)
def test_every_event_is_found_and_only_once_but_for_restarts(
    steps: list[tuple[int, int]], size: int, newest_first: bool, looks: int, restarts: set[int], stops: set[int]
) -> None:
    clock, events = 0, []
    for number, (step, late) in enumerate(steps):
        clock += step
        events.append(event(number, max(0, clock - late)))
    platform = Platform(size, newest_first)
    feed, window = Feed(platform.page), Window(timedelta(seconds=OVERLAP))
    found: list[FeedEvent] = []
    share = -(-len(events) // looks) if events else 0
    for look in range(looks):
        platform.arriving = events[look * share : (look + 1) * share]
        if look in restarts:
            feed, window = Feed(platform.page), Window(timedelta(seconds=OVERLAP), window.newest)
        for number, some in enumerate(feed.look(window)):
            if look in stops and number == 1:
                break  # what was found is not dealt with
            found += some
        else:
            window.settle()
        platform.events += platform.arriving
        platform.arriving = []
    for some in feed.look(window):
        found += some
    window.settle()
    names = [each.id for each in found]
    assert set(names) == {each.id for each in events}
    if not restarts and not stops:
        assert len(names) == len(set(names))


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_look_reads_the_new_end_alone(newest_first: bool) -> None:
    platform = Platform(10, newest_first)
    platform.events = [event(number, number * 10.0) for number in range(1000)]
    feed, window = Feed(platform.page), Window(timedelta(seconds=OVERLAP), event("", 9990).at)
    assert [each.id for some in feed.look(window) for each in some]
    window.settle()
    platform.read = 0
    platform.events.append(event("new", 10_000))
    assert [each.id for some in feed.look(window) for each in some] == ["new"]
    assert platform.read <= 4


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_event_is_at_either_end(newest_first: bool) -> None:
    platform = Platform(10, newest_first)
    assert Feed(platform.page).newest() is None
    platform.events = [event(number, number) for number in range(25)]
    assert Feed(platform.page).newest() == event("", 24).at


def test_what_an_unfinished_look_found_is_found_again() -> None:
    platform = Platform(10, True)
    platform.events = [event("one", 1)]
    feed, window = Feed(platform.page), Window(timedelta(seconds=OVERLAP))
    assert [[each.id for each in some] for some in feed.look(window)] == [["one"]]
    assert [[each.id for each in some] for some in feed.look(window)] == [["one"]]
    window.settle()
    assert [[each.id for each in some] for some in feed.look(window)] == [[]]


def test_a_window_forgets_what_is_older_than_its_overlap() -> None:
    window = Window(timedelta(seconds=OVERLAP))
    for number in range(10_000):
        window.fresh([event(number, number)])
        window.settle()
    assert len(window._seen) == OVERLAP + 1


def test_no_page_is_read_that_is_not_there() -> None:
    platform = Platform(7, newest_first=False)
    platform.events = [event(number, number) for number in range(15)]
    platform.arriving = [event(number, number) for number in range(15, 18)]
    window = Window(timedelta(seconds=OVERLAP), event("later", 1000).at)
    assert [new for some in Feed(platform.page).look(window) for new in some] == []
    assert platform.read == 4, (
        "the first, the last, for its order and by itself, and that once more, since the feed grew"
    )
