"""The sparse vectors of words."""

from hybrid_memory.index.bm25 import bm25_query, bm25_vector
from hybrid_memory.index.points import SparseVector


def test_words_are_stemmed_and_stop_words_are_out() -> None:
    assert bm25_vector("The cats were running") == bm25_vector("cat runs")
    assert len(bm25_vector("The cats were running").indices) == 2


def test_a_text_without_words_that_count_has_an_empty_vector() -> None:
    assert bm25_vector("the!") == bm25_vector("") == SparseVector((), ())


def test_a_repeated_word_counts_more_and_a_long_text_less() -> None:
    once, twice = bm25_vector("tea"), bm25_vector("tea tea")
    assert once.indices == twice.indices
    assert once.values[0] < twice.values[0] < 2 * once.values[0]
    long = bm25_vector("tea " + " ".join(f"word{n}" for n in range(50)))
    assert dict(zip(long.indices, long.values, strict=True))[once.indices[0]] < once.values[0]


def test_a_query_finds_the_words_of_a_memory_with_weight_one() -> None:
    query = bm25_query("teas, teas")
    assert query == SparseVector(bm25_vector("tea").indices, (1.0,))


def test_indices_are_unique_and_in_range() -> None:
    vector = bm25_vector("café naïve Ünïcode 日本語 " * 50)
    assert len(set(vector.indices)) == len(vector.indices) == len(vector.values)
    assert all(0 <= index < 2**32 for index in vector.indices)
