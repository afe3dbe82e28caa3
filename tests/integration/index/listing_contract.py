"""What every vector store must do with filters and lists: against a slow and obvious model."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_memory.index.bm25 import bm25_query
from hybrid_memory.index.filters import MAX_TERM, Filter, metadata_term
from hybrid_memory.index.listing import Listing, Order, milliseconds
from hybrid_memory.index.points import NO_WORDS, Point, StoredPoint
from hybrid_memory.index.store import VectorStore
from tests.integration.index.build import EPOCH, NOW, ask, live, tombstone

LABELS = ("tea", "Tea", "home work", "é")
WORDS = ("food", "music", "a/b")
VALUES: tuple[Any, ...] = ("red", "1", 1, 1.5, True, False, None, "", '"', "x,y")
_numbers = count()

labels = st.lists(st.sampled_from(LABELS), max_size=3, unique=True)
values = st.sampled_from(VALUES)
moments = st.sampled_from([EPOCH + timedelta(milliseconds=n) for n in (-(10**13), -1, 0, 1, 2, 10**9)])

drafts = st.fixed_dictionaries(
    {
        "classifiers": labels,
        "topic": st.none() | st.sampled_from(WORDS),
        "type": st.sampled_from(("stable", "passing")),
        "state": st.sampled_from(("provisional", "final")),
        "metadata": st.dictionaries(st.sampled_from("ab="), values, max_size=2),
        "created_at": moments,
        "expires_at": st.none() | st.sampled_from([EPOCH, datetime(2100, 1, 1, tzinfo=UTC)]),
        "at": st.integers(0, 3),
    }
)
filters = st.builds(
    Filter,
    any_classifiers=labels.map(tuple),
    all_classifiers=st.lists(st.sampled_from(LABELS), max_size=1).map(tuple),
    topic=st.none() | st.sampled_from(WORDS),
    type=st.none() | st.sampled_from(("stable", "passing")),
    state=st.none() | st.sampled_from(("provisional", "final")),
    metadata=st.dictionaries(st.sampled_from("ab="), values, max_size=1).map(
        lambda fields: tuple(str(metadata_term(name, value)) for name, value in fields.items())
    ),
    created_from=st.none() | moments.map(milliseconds),
    created_to=st.none() | moments.map(milliseconds),
)
# Most filters of all fields find nothing: mostly one condition, or none.
single = st.tuples(filters, st.sampled_from([*Filter.__dataclass_fields__, None])).map(
    lambda drawn: Filter() if drawn[1] is None else Filter(**{drawn[1]: getattr(drawn[0], drawn[1])})
)
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def made(user: str, number: int, draft: dict[str, Any]) -> StoredPoint:
    fields = {name: value for name, value in draft.items() if name not in ("at", "created_at")}
    stored = live(f"fact {number}", user=user, id=str(number), **fields)
    assert stored.point.memory is not None
    memory = stored.point.memory.model_copy(update={"created_at": draft["created_at"]})
    return replace(stored, point=replace(stored.point, memory=memory, appended_at=NOW + draft["at"]))


def fits(point: Point, wanted: Filter, now: int | None) -> bool:
    """By the book."""
    memory = point.memory
    assert memory is not None
    created, terms = milliseconds(memory.created_at), [metadata_term(*item) for item in memory.metadata.items()]  # type: ignore[arg-type]
    return (
        (not wanted.any_classifiers or bool(set(wanted.any_classifiers) & set(point.classifiers)))
        and set(wanted.all_classifiers) <= set(point.classifiers)
        and wanted.topic in (None, point.topic)
        and wanted.type in (None, memory.type)
        and wanted.state in (None, point.state)
        and set(wanted.metadata) <= set(terms)
        and (wanted.created_from is None or created >= wanted.created_from)
        and (wanted.created_to is None or created < wanted.created_to)
        and (now is None or memory.expires_at is None or milliseconds(memory.expires_at) > now)
    )


def in_order(points: list[Point], order: Order) -> list[str]:
    def place(point: Point) -> tuple[int, str]:
        assert point.memory is not None
        number = milliseconds(point.memory.created_at) if "created" in order else point.appended_at
        return (-number if order in ("newest", "-created_at") else number), point.id

    return [point.key for point in sorted(points, key=place)]


def pages(store: VectorStore, listing: Listing) -> Iterator[list[Point]]:
    for _ in range(400):
        found, after = store.page(listing)
        yield found
        if after is None:
            return
        listing = replace(listing, after=after)
    raise AssertionError("it never ends")


def listed(store: VectorStore, listing: Listing) -> list[str]:
    return [point.key for page in pages(store, listing) for point in page]


class ListingContract:
    """Inherited by the tests of each implementation, which give the fixture `store`."""

    @few
    @given(
        st.lists(drafts, max_size=12),
        filters | single,
        st.sampled_from(get_args(Order)),
        st.integers(1, 13),
        st.none() | st.just(NOW),
    )
    def test_lists_and_searches_keep_to_the_filter(
        self, store: VectorStore, made_up: list[dict[str, Any]], wanted: Filter, order: Order, limit: int, now: Any
    ) -> None:
        user = f"u{next(_numbers)}"
        points = [made(user, number, draft) for number, draft in enumerate(made_up)]
        store.upsert([*points, tombstone(user=user, id="gone"), live(user=f"{user}x")])
        fitting = [stored.point for stored in points if fits(stored.point, wanted, now)]
        assert listed(store, Listing(user, limit, now, wanted, order)) == in_order(fitting, order)
        for words in (NO_WORDS, bm25_query("fact 1")):
            hits = store.search(ask("fact 1", user=user, limit=50, filter=wanted, words=words))
            seen = {stored.point.key for stored in points if fits(stored.point, wanted, NOW)}
            assert {hit.point.key for hit in hits} == seen

    @pytest.mark.parametrize("limit", [9, 64, 500])
    def test_many_with_one_number_come_once_each(self, store: VectorStore, limit: int) -> None:
        """As an import writes them: hundreds within a millisecond."""
        points = [live(f"fact {n}", id=str(n)) for n in range(300)]
        points = [replace(p, point=replace(p.point, appended_at=NOW + n // 100)) for n, p in enumerate(points)]
        store.upsert(points)
        for order in get_args(Order):
            found = listed(store, Listing("ann", limit, order=order))
            assert found == in_order([stored.point for stored in points], order)

    def test_a_page_says_whether_there_is_another(self, store: VectorStore) -> None:
        store.upsert([live(id=str(n)) for n in range(4)])
        assert [len(page) for page in pages(store, Listing("ann", 2))] == [2, 2]
        assert [len(page) for page in pages(store, Listing("ann", 3))] == [3, 1]
        assert store.page(Listing("bob", 3)) == ([], None)

    def test_a_place_of_another_list_reaches_nothing_more(self, store: VectorStore) -> None:
        store.upsert([live(user=user, id=str(n)) for user in ("ann", "bob") for n in range(5)])
        _, after = store.page(Listing("bob", 2))
        found = listed(store, Listing("ann", 2, after=after))
        assert all(key.startswith("ann/") for key in found)

    def test_long_metadata_is_kept_and_not_found(self, store: VectorStore) -> None:
        store.upsert([live(metadata={"long": "x" * MAX_TERM, "short": "x", "deep": {"short": "y"}})])
        found, _ = store.page(Listing("ann", 2, filter=Filter(metadata=('["short","x"]',))))
        assert found[0].memory is not None
        assert len(str(found[0].memory.metadata["long"])) == MAX_TERM
        assert store.page(Listing("ann", 2, filter=Filter(metadata=('["short","y"]',)))) == ([], None)
