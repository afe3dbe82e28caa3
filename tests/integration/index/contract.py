"""What every vector store must do. A subclass gives the fixtures `folder` and `reopen`."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hybrid_memory.index.bm25 import bm25_query
from hybrid_memory.index.filters import Filter
from hybrid_memory.index.listing import Listing
from hybrid_memory.index.points import StoredPoint, Vectors
from hybrid_memory.index.ranking import Parts
from hybrid_memory.index.store import Hit, Identity, Progress, Rejected, VectorStore
from tests.integration.index.build import DIMENSIONS, NOW, ask, live, tombstone, vector
from tests.integration.index.listing_contract import ListingContract

IDENTITY = Identity(
    index_id="i1",
    topics={"memories": ("topic-a", 6), "memories.classified": ("topic-b", 6)},
    embedder="hash",
    dimensions=DIMENSIONS,
)


KINDS: tuple[dict[str, Any], ...] = ({}, {"words": bm25_query("green tea")}, {"labels": ("tea", "work")})
"""Searches by text alone, by words too, and by classifiers too."""


def expected(point: StoredPoint, corpus: list[StoredPoint], context: str, labels: tuple[str, ...]) -> Parts:
    """The parts of a point's score, by the book: `corpus` are all memories of its user."""
    assert point.vectors is not None
    own = dict(zip(point.vectors.bm25.indices, point.vectors.bm25.values, strict=True))
    words = bm25_query(context).indices
    having = {word: sum(word in one.vectors.bm25.indices for one in corpus if one.vectors) for word in words}
    rarity = {word: math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5)) for word, n in having.items()}
    bm25 = sum(rarity[word] * own.get(word, 0.0) for word in words)
    cosine = _dot(vector(context), point.vectors.text)
    best = [max((_dot(vector(label), one) for one in point.vectors.classifiers), default=0.0) for label in labels]
    shared = max(0.0, (sum(best) / len(best) - 0.5) / 0.5)
    return Parts(max(0.0, cosine), bm25 / (1.9 * sum(rarity.values())), shared)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def ids(hits: list[Hit]) -> list[str]:
    return [hit.point.memory.memory_id for hit in hits if hit.point.memory]


def everything(store: VectorStore, page: int = 7) -> list[StoredPoint]:
    found, mark = store.scroll(page)
    while mark is not None:
        more, mark = store.scroll(page, mark)
        found += more
    return found


def same(stored: StoredPoint, wanted: StoredPoint) -> bool:
    """Equal, vectors to the precision of a store."""
    if stored.point != wanted.point or (stored.vectors is None) != (wanted.vectors is None):
        return False
    if stored.vectors is None or wanted.vectors is None:
        return True
    pairs = [
        (stored.vectors.text, wanted.vectors.text),
        *zip(stored.vectors.classifiers, wanted.vectors.classifiers, strict=True),
    ]
    sparse, other = stored.vectors.bm25, wanted.vectors.bm25
    close = all(a == pytest.approx(b, abs=1e-3) for a, b in pairs)
    words = dict(zip(sparse.indices, sparse.values, strict=True))
    return close and words == pytest.approx(dict(zip(other.indices, other.values, strict=True)), abs=1e-3)


class StoreContract(ListingContract, ABC):
    """Inherited by the tests of each implementation."""

    @abstractmethod
    def open(self, where: Any) -> VectorStore:
        """The index of this place, new where there is none."""

    @pytest.fixture
    def where(self, tmp_path: Any) -> Any:
        return tmp_path / "index"

    @pytest.fixture
    def store(self, where: Any) -> Iterator[VectorStore]:
        store = self.open(where)
        yield store
        store.close()

    # Identity and progress

    def test_a_new_index_is_nobodys_and_empty(self, store: VectorStore) -> None:
        assert store.identity() is None
        assert store.progress() == Progress()
        assert (store.count(), store.users(), everything(store), store.search(ask("tea"))) == (0, {}, [], [])

    def test_identity_and_progress_survive_a_reopening(self, store: VectorStore, where: Any) -> None:
        store.claim(IDENTITY)
        store.advance(Progress({("memories", 0): 5, ("memories.classified", 1): 2**52}, NOW))
        store.close()
        again = self.open(where)
        assert again.identity() == IDENTITY
        assert again.progress() == Progress({("memories", 0): 5, ("memories.classified", 1): 2**52}, NOW)
        again.close()

    def test_partitions_that_are_not_named_keep_their_position(self, store: VectorStore) -> None:
        store.advance(Progress({("memories", 0): 5, ("memories", 1): 7}, NOW))
        store.advance(Progress({("memories", 1): 8}, NOW + 1))
        assert store.progress() == Progress({("memories", 0): 5, ("memories", 1): 8}, NOW + 1)

    def test_what_the_index_says_of_itself_is_no_memory(self, store: VectorStore) -> None:
        store.claim(IDENTITY)
        store.advance(Progress({("memories", 0): 5}, NOW))
        assert (store.count(), store.users(), everything(store)) == (0, {}, [])
        assert store.expired(NOW * 2, 10) == []
        store.purge(NOW * 2)
        assert store.identity() == IDENTITY

    # Points

    def test_a_point_comes_back_as_it_was_written(self, store: VectorStore) -> None:
        rich = live(
            "Zoë wohnt in 東京 \N{CAT FACE}",
            user="a/b@c%",
            id="x/y@1 ü",
            classifiers=("home", "travel & más"),
            topic="places",
            generation=3,
            metadata={"none": None, "deep": [{"a": None}, 1.0, 10**30], "": True},
            expires_at=datetime(2031, 2, 3, 4, 5, 6, 789_123, tzinfo=UTC),
        )
        bare = live("...", id="bare")
        gone = tombstone(id="gone")
        store.upsert([rich, bare, gone])
        found = store.get([rich.point.key, bare.point.key, gone.point.key, "ann/nobody"])
        assert set(found) == {rich.point.key, bare.point.key, gone.point.key}
        assert all(same(found[wanted.point.key], wanted) for wanted in (rich, bare, gone))

    def test_what_was_read_can_be_written_again_without_drift(self, store: VectorStore) -> None:
        store.upsert([live(classifiers=("tea",))])
        once = store.get(["ann/m1"])["ann/m1"]
        store.upsert([once])
        assert store.get(["ann/m1"])["ann/m1"] == once

    def test_points_survive_a_reopening(self, store: VectorStore, where: Any) -> None:
        wanted = [live(f"fact {n}", id=str(n), seq=n, classifiers=("a", "b")) for n in range(20)]
        store.upsert(wanted)
        store.flush()
        store.close()
        again = self.open(where)
        assert all(same(again.get([point.point.key])[point.point.key], point) for point in wanted)
        assert again.count() == 20
        again.close()

    def test_a_large_batch_is_written_whole(self, store: VectorStore) -> None:
        wanted = {point.point.key: point for point in (live(f"fact {n}", id=str(n), seq=n) for n in range(700))}
        store.upsert(list(wanted.values()))
        assert store.count() == 700
        assert store.get(wanted).keys() == wanted.keys()

    def test_nothing_is_written_by_an_empty_call(self, store: VectorStore) -> None:
        store.upsert([])
        store.upgrade([])
        assert store.get([]) == {}

    # The guard

    def test_a_higher_seq_is_left_as_it_is_and_the_rest_is_written(self, store: VectorStore) -> None:
        store.upsert([live("old", id="a", seq=5), live("old", id="b", seq=5), live("old", id="c", seq=5)])
        store.upsert(
            [live("late", id="a", seq=4), live("again", id="b", seq=5), live("new", id="c", seq=6), live("x", id="d")]
        )
        texts = {
            key: found.point.memory.text
            for key, found in store.get(f"ann/{n}" for n in "abcd").items()
            if found.point.memory
        }
        assert texts == {"ann/a": "old", "ann/b": "again", "ann/c": "new", "ann/d": "x"}

    def test_a_write_replaces_the_whole_point(self, store: VectorStore) -> None:
        store.upsert([live(classifiers=("tea",), topic="food", expires_at=datetime(2030, 1, 1, tzinfo=UTC))])
        bare = live("something else", seq=2)
        store.upsert([bare])
        assert same(store.get(["ann/m1"])["ann/m1"], bare)
        assert store.expired(NOW * 2, 10) == []

    def test_a_tombstone_is_not_undone_by_what_came_before_it(self, store: VectorStore) -> None:
        store.upsert([live(seq=1)])
        store.upsert([tombstone(seq=2)])
        store.upsert([live(seq=1)])
        assert store.get(["ann/m1"]) == {"ann/m1": tombstone(seq=2)}
        store.upsert([live(seq=3)])
        assert store.count() == 1

    def test_a_key_comes_once_in_a_call(self, store: VectorStore) -> None:
        with pytest.raises(ValueError, match="at most once"):
            store.upsert([live(seq=1), live(seq=2)])

    def test_an_upgrade_touches_only_a_live_point_of_its_seq(self, store: VectorStore) -> None:
        store.upsert(
            [live(id="same", seq=5), live(id="older", seq=4), live(id="newer", seq=6), tombstone(id="gone", seq=5)]
        )
        better = [
            live(id=id, seq=5, classifiers=("tea",), generation=2)
            for id in ("same", "older", "newer", "gone", "absent")
        ]
        store.upgrade(better)
        found = store.get(f"ann/{id}" for id in ("same", "older", "newer", "gone", "absent"))
        assert {key: stored.point.generation for key, stored in found.items()} == {
            "ann/same": 2,
            "ann/older": 0,
            "ann/newer": 0,
            "ann/gone": 0,
        }
        assert same(found["ann/same"], better[0])

    # Bad points

    @pytest.mark.parametrize(
        ("fault", "why"),
        [
            ({"text": (1.0,) * 3}, "3 dimensions, not 64"),
            ({"text": (math.nan, *(0.0,) * 63)}, "length nan"),
            ({"text": (math.inf, *(0.0,) * 63)}, "length inf"),
            ({"text": (0.5, *(0.0,) * 63)}, "length 0.5"),
            ({"classifiers": ()}, "1 classifiers and 0 classifier vectors"),
            ({"classifiers": ((0.0,) * 64,)}, "classifier vector 0 has length 0"),
        ],
    )
    def test_a_point_that_cannot_be_stored_is_named(self, store: VectorStore, fault: dict[str, Any], why: str) -> None:
        good = live(id="bad", classifiers=("tea",))
        assert good.vectors is not None
        bad = StoredPoint(good.point, replace(good.vectors, **fault))
        for write in (store.upsert, store.upgrade):
            with pytest.raises(Rejected, match=f"ann/bad: .*{why}"):
                write([live(id="fine"), bad])

    def test_vectors_and_life_go_together(self, store: VectorStore) -> None:
        vectors: Vectors | None = live().vectors
        for bad in (StoredPoint(live().point, None), StoredPoint(tombstone().point, vectors)):
            with pytest.raises(Rejected, match="ann/m1"):
                store.upsert([bad])

    # Search

    def test_the_nearest_comes_first_with_its_cosine(self, store: VectorStore) -> None:
        store.upsert([live("green tea in the morning", id="tea"), live("my car broke down", id="car")])
        hits = store.search(ask("green tea in the morning"))
        assert ids(hits) == ["tea", "car"]
        assert hits[0].parts.text == pytest.approx(1, abs=2e-3)
        assert 0 <= hits[1].parts.text < 0.5

    def test_the_limit_holds_and_a_longer_list_starts_with_the_shorter(self, store: VectorStore) -> None:
        store.upsert([live(f"green tea {n}", id=str(n), seq=n) for n in range(50)])
        for more in KINDS:
            long = ids(store.search(ask("green tea 7", limit=40, **more)))
            assert len(long) == 40
            assert ids(store.search(ask("green tea 7", limit=3, **more))) == long[:3]

    def test_nobody_sees_another_users_memories(self, store: VectorStore) -> None:
        store.upsert(
            [live("green tea", user=user, id=str(n), classifiers=("tea",)) for user in "xyz" for n in range(30)]
        )
        for more in KINDS:
            hits = store.search(ask("green tea", user="y", limit=100, **more))
            assert len(hits) == 30
            assert {hit.point.memory.user_id for hit in hits if hit.point.memory} == {"y"}
        assert store.search(ask("green tea", user="Y")) == []
        assert store.search(ask("green tea", user="")) == []

    def test_deleted_expired_and_other_topics_are_not_found(self, store: VectorStore) -> None:
        soon = datetime.fromtimestamp(NOW / 1000, UTC)
        store.upsert([live(id="stays", topic="food"), live(id="goes"), live(id="ends", topic="food", expires_at=soon)])
        store.upsert([tombstone(id="goes")])
        for more in KINDS:
            assert set(ids(store.search(ask("tea", now=NOW - 1, **more)))) == {"stays", "ends"}
            assert ids(store.search(ask("tea", now=NOW, **more))) == ["stays"]
            assert ids(store.search(ask("tea", filter=Filter(topic="food"), **more))) == ["stays"]
            assert store.search(ask("tea", filter=Filter(topic="work"), **more)) == []

    def test_every_score_is_the_formulas(self, store: VectorStore) -> None:
        """Against cosines, BM25 and rarities that are computed here, from the points themselves."""
        texts = [
            "green tea in the morning",
            "green green paint",
            "a mouse in the morning",
            "tea, tea and more tea",
            "...",
        ]
        points = [live(text, id=str(n), classifiers=("drink",) * (n % 2)) for n, text in enumerate(texts)]
        others = [live("green tea and yellow jackets", user="bob", id=str(n)) for n in range(50)]
        store.upsert(points + others)
        context = "tea with a green zebra"
        hits = store.search(ask(context, words=bm25_query(context), labels=("drink", "work")))
        assert len(hits) == len(points)
        of = {point.point.id: point for point in points}
        for hit in hits:
            wanted = expected(of[hit.point.id], points, context, ("drink", "work"))
            assert hit.parts == pytest.approx(wanted, abs=3e-3)
        assert [hit.score for hit in hits] == sorted((hit.parts.score for hit in hits), reverse=True)

    def test_words_bring_up_a_memory_from_among_very_many_near_texts(self, store: VectorStore) -> None:
        store.upsert([live(f"green tea {n}", id=str(n)) for n in range(400)])
        store.upsert([live("The xylophone of my aunt, which she keeps below the stairs", id="rare")])
        found = store.search(ask("tea for two", limit=2, words=bm25_query("xylophone aunt stairs")))
        assert ids(found)[0] == "rare"

    def test_a_candidate_of_one_list_has_the_part_that_another_list_left_out(self, store: VectorStore) -> None:
        store.upsert([live(f"green tea {n}", id=str(n)) for n in range(400)])
        store.upsert([live("tea " * 30, id="words")])
        query = ask("green tea 5", limit=300, words=bm25_query("tea"))
        hits = {hit.point.key: hit.parts for hit in store.search(query)}
        assert all(parts.words > 0 and parts.text > 0 for parts in hits.values())
        assert len(hits) == 300

    def test_shared_classifiers_decide_between_equal_texts(self, store: VectorStore) -> None:
        store.upsert(
            [
                live("the blue door", id="plain", seq=9),
                live("the blue door", id="other", seq=8, classifiers=("work",)),
                live("the blue door", id="shares", seq=7, classifiers=("work", "green tea")),
            ]
        )
        hits = store.search(ask("the blue door", labels=("green tea",)))
        assert ids(hits) == ["shares", "plain", "other"]
        assert [hit.parts.classifiers for hit in hits] == [pytest.approx(1, abs=2e-3), 0, 0]
        assert ids(store.search(ask("the blue door"))) == ["plain", "other", "shares"]

    def test_ties_go_to_the_newer_then_by_id(self, store: VectorStore) -> None:
        store.upsert([live("green tea", id=id, seq=seq) for id, seq in (("a", 3), ("b", 9), ("c", 3), ("d", 1))])
        tied = sorted((live(id=id).point.id, id) for id in "ac")
        for more in KINDS:
            found = ids(store.search(ask("green tea", **more)))
            assert found == ["b", *(id for _, id in tied), "d"]

    def test_a_wrong_query_vector_is_refused(self, store: VectorStore) -> None:
        with pytest.raises(ValueError, match="the query's vector has length 0, not 1"):
            store.search(replace(ask("x"), vector=(0.0,) * DIMENSIONS))
        with pytest.raises(ValueError, match="label vector 0 has 3 dimensions, not 64"):
            store.search(replace(ask("x"), labels=[(1.0, 0.0, 0.0)]))

    # Lists

    def test_users_and_count_are_of_live_memories(self, store: VectorStore) -> None:
        store.upsert([live(user=f"u{n % 30}", id=str(n)) for n in range(90)])
        store.upsert([tombstone(user="u0", id=str(n)) for n in (0, 30, 60)] + [tombstone(user="u1", id="1")])
        assert store.count() == 86
        assert store.users() == {f"u{n}": 3 if n > 1 else 2 for n in range(1, 30)}

    def test_scroll_passes_every_point_once_and_in_the_same_order(self, store: VectorStore) -> None:
        store.claim(IDENTITY)
        store.advance(Progress({("memories", 0): 5}, NOW))
        points = [live(f"fact {n}", id=str(n)) for n in range(25)] + [tombstone(id="gone")]
        store.upsert(points)
        found = everything(store)
        assert sorted(p.point.key for p in found) == sorted(p.point.key for p in points)
        assert everything(store, page=100) == found
        first, mark = store.scroll_points(20)
        rest, end = store.scroll_points(20, mark)
        assert ([stored.point for stored in found], end) == (first + rest, None)
        assert all(same(stored, store.get([stored.point.key])[stored.point.key]) for stored in found)

    def test_expired_lists_live_memories_whose_time_has_come(self, store: VectorStore) -> None:
        at = datetime(2026, 5, 5, tzinfo=UTC)
        moment = int(at.timestamp() * 1000)
        store.upsert([live(id="now", expires_at=at), live(id="never"), live(id="gone", expires_at=at)])
        store.upsert([tombstone(id="gone")])
        assert store.expired(moment - 1, 10) == []
        assert store.expired(moment, 10) == [live(id="now", expires_at=at).point]
        store.upsert([live(id=str(n), expires_at=at) for n in range(5)])
        assert len(store.expired(moment, 3)) == 3

    def test_purge_forgets_old_tombstones_only(self, store: VectorStore) -> None:
        store.upsert([live(id="live"), tombstone(id="old", deleted_at=100), tombstone(id="new", deleted_at=101)])
        store.purge(100)
        assert set(store.get(f"ann/{id}" for id in ("live", "old", "new"))) == {"ann/live", "ann/new"}

    def test_tombstones_are_counted_from_a_time_on(self, store: VectorStore) -> None:
        store.upsert([live(id="live"), tombstone(id="old", deleted_at=100), tombstone(id="new", deleted_at=101)])
        assert [store.tombstones(since) for since in (0, 100, 101, 102)] == [2, 2, 1, 0]

    # Life

    def test_a_closed_index_does_nothing_more(self, store: VectorStore) -> None:
        store.close()
        store.close()
        with pytest.raises(RuntimeError, match="closed"):
            store.upsert([live()])
        with pytest.raises(RuntimeError, match="closed"):
            store.search(ask("tea"))
        with pytest.raises(RuntimeError, match="closed"):
            store.page(Listing("ann", 1))

    def test_threads_may_read_and_write_together(self, store: VectorStore) -> None:
        def write(user: int) -> None:
            for n in range(20):
                store.upsert(
                    [live(f"fact {n}", user=f"u{user}", id=str(n), seq=n), live(f"{n}", user=f"u{user}", id="x", seq=n)]
                )
                store.advance(Progress({("memories", user): n}, n))

        def read(user: int) -> None:
            for n in range(40):
                store.search(ask(f"fact {n}", user=f"u{user}", words=bm25_query("fact")))
                store.count()

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(job, user) for job in (write, read) for user in range(2)]:
                future.result(timeout=60)
        assert store.users() == {"u0": 21, "u1": 21}
        assert store.progress().positions == {("memories", 0): 19, ("memories", 1): 19}
