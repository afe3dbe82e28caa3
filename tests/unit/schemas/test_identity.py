"""Keys, ids and partitions: the same for ever, on every machine and in every language."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybrid_memory.schemas import (
    Memory,
    derive_memory_id,
    fact_key,
    memory_key,
    partition_of,
    point_id,
    split_fact_key,
    split_memory_key,
)
from hybrid_memory.schemas.identity import decode_user, encode_user, murmur2

ids = st.text(min_size=1, max_size=40) | st.text("%/@aA2540F.", min_size=1, max_size=20)
numbers = st.integers(0, 2**53 - 1)


@given(ids, ids)
def test_a_memory_key_splits_into_what_made_it(user_id: str, memory_id: str) -> None:
    assert split_memory_key(memory_key(user_id, memory_id)) == (user_id, memory_id)


@given(ids, ids, numbers, numbers)
def test_a_fact_key_splits_into_what_made_it(user_id: str, memory_id: str, seq: int, generation: int) -> None:
    key = memory_key(user_id, memory_id)
    assert split_fact_key(fact_key(key, seq, generation)) == (key, seq, generation)


@given(ids)
def test_an_encoded_user_holds_nothing_that_structures_a_key(user_id: str) -> None:
    encoded = encode_user(user_id)
    assert not {"/", "@"} & set(encoded)
    assert decode_user(encoded) == user_id


@pytest.mark.parametrize("key", ["", "maya", "/move", "maya/", "a@b/move", "50%/move", "a%2fb/move", "a%41/move"])
def test_a_key_that_we_would_not_write_is_no_memory_key(key: str) -> None:
    with pytest.raises(ValueError, match="not of the form user_id/memory_id"):
        split_memory_key(key)


@pytest.mark.parametrize(
    "version", ["", "1", "1.", ".1", "-1.0", "1.-1", "01.0", "1.00", "1.0.0", "１.0", "²", "1e3.0", " 1.0", "9" * 5000]
)
def test_a_key_that_we_would_not_write_is_no_fact_key(version: str) -> None:
    with pytest.raises(ValueError):
        split_fact_key(f"maya/move@{version}")


def test_ids_and_points_are_what_they_always_were() -> None:
    assert derive_memory_id("maya", "I moved to Lisbon in March") == "d99ae38a-4934-5ba7-901b-b49ff8256da7"
    assert point_id("maya/move") == "8f3e248a-cf1b-5def-8b99-c56282db00a3"


@pytest.mark.parametrize(
    "same",
    [
        "i LIKE crème brûlée",
        "  I like\tcrème \n brûlée  ",
        unicodedata.normalize("NFD", "I like crème brûlée"),
        "Ｉ　like crème brûlée",
    ],
)
def test_the_same_text_in_another_form_has_the_same_id(same: str) -> None:
    assert derive_memory_id("maya", same) == derive_memory_id("maya", "I like crème brûlée")


@given(st.text(max_size=60))
def test_the_unicode_form_of_a_text_makes_no_difference(text: str) -> None:
    one = unicodedata.normalize("NFC", text)
    other = unicodedata.normalize("NFD", text)
    assert derive_memory_id("maya", one) == derive_memory_id("maya", other)


@given(ids, ids, st.text(max_size=60))
def test_another_user_has_another_id(one: str, other: str, text: str) -> None:
    assume(one != other and "\0" not in one + other)
    assert derive_memory_id(one, text) != derive_memory_id(other, text)


def test_another_text_has_another_id() -> None:
    assert derive_memory_id("maya", "I like tea") != derive_memory_id("maya", "I like teas")


def test_a_memory_knows_whether_its_id_follows_from_its_text() -> None:
    assert Memory.new(user_id="maya", text="I like tea").has_derived_id
    assert not Memory.new(user_id="maya", text="I like tea", memory_id="tea").has_derived_id


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_agrees_with_the_java_client(text: str, value: int) -> None:
    assert murmur2(text.encode()) == value


@given(ids, ids, st.integers(1, 200))
def test_a_partition_is_one_of_the_topic(user_id: str, memory_id: str, partitions: int) -> None:
    assert 0 <= partition_of(memory_key(user_id, memory_id), partitions) < partitions
