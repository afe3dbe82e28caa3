"""Names of generations, the file that says which is current, and a store that is exchanged while it is read."""

import threading
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.index.folders import FolderGenerations, index_folder
from hybrid_memory.index.generations import name_of, number_of
from hybrid_memory.index.lent import LentStore
from hybrid_memory.index.reset import set_aside
from hybrid_memory.index.store import VectorStore
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import load_settings

BASES = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)


@given(BASES, st.integers(1, 10**9 - 1))
def test_a_number_comes_back_from_its_name(base: str, number: int) -> None:
    assert number_of(base, name_of(base, number)) == number


@given(BASES, BASES)
def test_only_names_of_generations_have_numbers(base: str, name: str) -> None:
    number = number_of(base, name)
    assert number is None or name_of(base, number) == name


@pytest.mark.parametrize("name", ["index.1", "index.0", "index.02", "index.old", "index.2.dropped", "other", "index."])
def test_other_folders_are_none(name: str) -> None:
    assert number_of("index", name) is None


def test_folders_and_the_file_that_names_the_current_one(tmp_path: Path) -> None:
    generations = FolderGenerations(tmp_path)
    assert (generations.current(), generations.next(), generations.names()) == ("index", "index.2", [])
    for name in ("index", "index.2", "index.old", "prototypes"):
        (tmp_path / name).mkdir()
    assert (generations.building(), generations.kept()) == ("index.2", None)
    generations.switch("index.2")
    assert (generations.current(), generations.building(), generations.kept()) == ("index.2", None, "index")
    assert index_folder(load_settings(data_dir=tmp_path)) == tmp_path / "index.2"
    generations.drop("index")
    assert (sorted(generations.names()), generations.next()) == (["index.2"], "index.3")


def test_what_is_reset_is_the_current_one(tmp_path: Path) -> None:
    for name in ("index", "index.2"):
        (tmp_path / name).mkdir()
    FolderGenerations(tmp_path).switch("index.2")
    assert "set aside" in set_aside(load_settings(data_dir=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"index", "index.current", "index.old"}


@pytest.mark.parametrize("text", ["", "../elsewhere", "index.1", "index.2 index.3"])
def test_a_file_that_names_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.current").write_text(text)
    with pytest.raises(Refusal, match=r"index\.current names .* correct it"):
        FolderGenerations(tmp_path).current()


def test_a_store_is_given_back_when_its_last_reader_has_gone() -> None:
    old, new = (cast(VectorStore, object()) for _ in range(2))  # nothing is asked of them
    lent = LentStore(old)
    given_back: list[VectorStore] = []
    exchange = threading.Thread(target=lambda: given_back.append(lent.exchange(new)))
    with lent.reading() as first:
        with lent.reading() as second:
            exchange.start()
            while True:  # until the new one is lent
                with lent.reading() as third:
                    if third is new:
                        break
            assert first is second is old
        assert exchange.is_alive()
        assert given_back == []
    exchange.join(10)
    assert given_back == [old]
