"""The event feed of a (fake) platform becomes hints, whatever the platform does meanwhile."""

import threading
from collections.abc import Iterator

import pytest

from hybrid_memory.mem0.follow import Follower, follow
from hybrid_memory.mem0.opening import Opened, opened
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Mem0Settings, Settings
from tests.e2e.programs import until
from tests.integration.mem0.logs import bookmarks, hints
from tests.integration.mem0.platform import PROJECT, FakePlatform


@pytest.fixture
def parts(settings: Settings) -> Iterator[Opened]:
    with opened(settings) as made:
        yield made


def add(platform: FakePlatform, count: int) -> list[str]:
    return [platform.store.add(f"note {number}", {"user_id": "maya"})["id"] for number in range(count)]


def test_what_happens_after_the_first_look_is_hinted_at(platform: FakePlatform, parts: Opened) -> None:
    before = add(platform, 3)
    follower = Follower(parts, threading.Event())
    # What the overlap holds is hinted at, though the first look begins at the end.
    assert follower.look() == 3
    [changed, deleted] = add(platform, 2)
    platform.store.change(changed, memory="other")
    platform.store.delete(deleted)
    assert follower.look() == 4
    assert follower.look() == 0
    found = hints(parts.settings)
    # A page says a memory once, however often it changed.
    assert sorted(hint.mem0_id for hint in found) == sorted([*before, changed, deleted])
    assert {(hint.door, hint.project) for hint in found} == {("feed", PROJECT)}


def test_another_process_goes_on_where_the_first_left_off(platform: FakePlatform, parts: Opened) -> None:
    brief = parts.settings.mem0.model_copy(update={"feed_overlap_seconds": 0.000001})
    settings = parts.settings.model_copy(update={"mem0": brief})
    with opened(settings) as first:
        Follower(first, threading.Event()).look()
    while_away = add(platform, 250)
    with opened(settings) as second:
        assert Follower(second, threading.Event()).look() == 250
        assert Follower(second, threading.Event()).look() <= 1  # the last event alone is within the overlap
    assert {hint.mem0_id for hint in hints(settings)} == set(while_away)
    assert {mark.reader for mark in bookmarks(settings)} == {"feed"}


def test_a_feed_that_was_empty_is_followed_from_its_beginning(platform: FakePlatform, parts: Opened) -> None:
    assert Follower(parts, threading.Event()).look() == 0
    added = add(platform, 1)
    assert Follower(parts, threading.Event()).look() == 1
    assert [hint.mem0_id for hint in hints(parts.settings)] == added


def test_nothing_is_lost_to_a_platform_that_fails_and_limits(platform: FakePlatform, parts: Opened) -> None:
    follower = Follower(parts, threading.Event())
    follower.look()
    platform.faults.failing, platform.faults.limited, platform.faults.retry_after = 0.3, 0.3, 0.01
    added = add(platform, 350)
    assert follower.look() >= 350
    platform.faults.failing = platform.faults.limited = 0
    assert follower.look() == 0
    assert {hint.mem0_id for hint in hints(parts.settings)} == set(added)


def test_it_stops_when_told_also_while_it_waits(platform: FakePlatform, settings: Settings) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=follow, args=(settings, stop))
    thread.start()
    until(lambda: bookmarks(settings), 20)
    platform.faults.limited, platform.faults.retry_after = 1.0, 500.0
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("mem0", "says"),
    [
        ({"api_key": None}, "no Mem0 is named; set HM_MEM0__API_KEY"),
        ({"api_key": "m0-wrong"}, "does not accept the API key"),
    ],
)
def test_it_refuses_to_begin_in_one_sentence(settings: Settings, mem0: dict[str, object], says: str) -> None:
    given = settings.mem0.model_dump() | mem0
    wrong = settings.model_copy(update={"mem0": Mem0Settings.model_validate(given)})
    with pytest.raises(Refusal, match=says) as caught:
        follow(wrong, threading.Event())
    assert "\n" not in str(caught.value)
    assert "m0-wrong" not in str(caught.value)


def test_who_must_not_wait_is_refused_where_something_is_away(settings: Settings) -> None:
    away = settings.mem0.model_copy(update={"url": "http://127.0.0.1:9"})
    with (
        pytest.raises(Refusal, match=r"does not answer .*nothing was changed"),
        opened(settings.model_copy(update={"mem0": away})),
    ):
        pass
    bare = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}none."})
    with pytest.raises(Refusal, match=r"mem0\.hints does not exist; make it with: hm topics apply"), opened(bare):
        pass
