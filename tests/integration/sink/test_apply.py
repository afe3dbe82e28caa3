"""A batch into a real Edge index: each text is embedded once, before the fold, and its vector says what it is about."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hybrid_memory.classifier import Label, Taxonomy
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.embedder import Matrix
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.labelling import fast_classifier
from hybrid_memory.index.points import StoredPoint
from hybrid_memory.index.store import Rejected
from hybrid_memory.schemas import Memory, MemoryDeleted
from hybrid_memory.sink.apply import Applier
from hybrid_memory.sink.terms import Input, Log, Unreadable, Write
from hybrid_memory.sink.vectors import EmbeddingVectoriser

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
PURRS = "It purrs and says meow all day"
TAXONOMY = Taxonomy(
    version="t7",
    labels=(
        Label(name="cats", description="cats", keywords=("cat",), examples=("It purrs and says meow.",)),
        Label(name="boats", description="boats", keywords=("boat",), examples=("We sailed round the island.",)),
    ),
)


class Counting(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Matrix:
        self.asked.append(list(texts))
        return super().embed(texts)


class Picky(EdgeStore):
    """Never takes the memory `bad`."""

    def upsert(self, points: Sequence[StoredPoint]) -> None:
        if any(stored.point.live and stored.point.key == "ann/bad" for stored in points):
            raise Rejected("not this one")
        super().upsert(points)


class World:
    """An applier over an index, and what its embedder was asked for."""

    def __init__(self, folder: Path) -> None:
        self.embedder = Counting()
        self.store = Picky.open(folder, self.embedder.dimensions)
        labels = fast_classifier(TAXONOMY, HashEmbedder())
        self.applier = Applier(self.store, EmbeddingVectoriser(self.embedder), labels, Log("t", 1), False)

    def apply(self, *records: Input) -> list[list[str]]:
        """The calls of the embedder that a batch costs."""
        self.embedder.asked.clear()
        self.applier.apply(records)
        return list(self.embedder.asked)

    def stored(self, memory_id: str = "m") -> StoredPoint:
        return self.store.get([f"ann/{memory_id}"])[f"ann/{memory_id}"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "index")
    yield made
    made.store.close()


def write(seq: int, text: str, memory_id: str = "m", **rest: object) -> Write:
    return Write(seq, 0, Memory.new(user_id="ann", memory_id=memory_id, text=text, created_at=WHEN, **rest))


def test_the_text_says_what_it_is_about_without_a_key_word(world: World) -> None:
    world.apply(write(1, PURRS))
    point = world.stored().point
    assert point.classifiers == ("cats",)
    assert point.provenance is not None
    assert (point.provenance.source, point.provenance.taxonomy) == ("rules", "t7")
    vectors = world.stored().vectors
    assert vectors is not None
    assert vectors.text == pytest.approx(HashEmbedder().embed([PURRS])[0].tolist(), abs=1e-3)  # kept as 16-bit floats


def test_all_texts_of_a_batch_in_one_call_each_once(world: World) -> None:
    calls = world.apply(write(1, PURRS), write(2, "a boat", "n"), write(3, PURRS, "o"), Unreadable(4, "ann/p"))
    assert calls == [[PURRS, "a boat"], ["cats", "boats"]]


def test_a_text_that_the_point_has_is_not_embedded_again(world: World) -> None:
    world.apply(write(1, PURRS))
    before = world.stored()
    assert world.apply(write(2, PURRS, metadata={"x": 1})) == []
    after = world.stored()
    assert (after.point.seq, after.point.classifiers, after.vectors) == (2, ("cats",), before.vectors)


def test_what_was_applied_before_costs_nothing(world: World) -> None:
    records = (write(1, PURRS), write(2, "a boat"))
    world.apply(*records)
    assert world.apply(*records) == []
    assert world.stored().point.classifiers == ("boats",)


def test_a_deletion_embeds_nothing_and_the_next_memory_does(world: World) -> None:
    world.apply(write(1, PURRS))
    assert world.apply(Write(2, 0, MemoryDeleted(user_id="ann", memory_id="m"))) == []
    assert world.stored().vectors is None
    assert world.apply(write(3, PURRS)) == [[PURRS]]  # "cats" is known


def test_several_versions_in_one_batch(world: World) -> None:
    world.apply(write(1, "a boat"))
    world.apply(write(2, PURRS), write(3, "a boat"), Write(4, 0, write(4, "late").event, if_seq=1))
    assert (world.stored().point.seq, world.stored().point.classifiers) == (3, ("boats",))


def test_a_batch_that_is_halved_still_gives_each_its_labels(world: World) -> None:
    outcome = world.applier.apply([write(1, PURRS), write(2, "x", "bad"), write(3, "a boat", "n")])
    assert list(outcome.refused) == [1]
    assert (world.stored().point.classifiers, world.stored("n").point.classifiers) == (("cats",), ("boats",))
