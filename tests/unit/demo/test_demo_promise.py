"""The demo says plainly what a search does not show."""

from hybrid_memory.demo.data import Search
from hybrid_memory.demo.promise import broken_promises
from hybrid_memory.demo.results import Hit

CITY = Hit(memory_id="city", text="I moved to Copenhagen.", score=0.5)
OLD = Hit(memory_id="old", text="I live in Porto.", score=0.4)


def search(first: str | None = None, absent: tuple[str, ...] = (), empty: bool = False) -> Search:
    return Search(title="T", look_for="L", context="C", first=first, absent=absent, empty=empty)


def test_what_is_promised_and_found_breaks_nothing() -> None:
    assert broken_promises(search(first="city", absent=("Lisbon",)), [CITY, OLD]) == []
    assert broken_promises(search(empty=True), []) == []
    assert broken_promises(search(), [OLD]) == []


def test_another_one_first() -> None:
    assert broken_promises(search(first="city"), [OLD, CITY]) == ["'old' comes first; 'city' should"]


def test_nothing_where_one_should_be_first() -> None:
    assert broken_promises(search(first="city"), []) == ["nothing was found; 'city' should come first"]


def test_what_should_be_gone() -> None:
    assert broken_promises(search(first="city", absent=("Porto",)), [CITY, OLD]) == [
        "'Porto' should not be found, and is in number 2"
    ]


def test_something_where_nothing_should_be() -> None:
    assert broken_promises(search(empty=True), [CITY]) == ["nothing should be found, and 1 memories are"]
