"""Where texts come from: a file, or templates and a seed."""

from pathlib import Path

import pytest

from hybrid_memory.bench.sizes import parse_sizes
from hybrid_memory.bench.texts import made_up, questions, read_texts
from hybrid_memory.runtime.errors import Refusal


def test_made_up_texts_are_different_and_the_same_again() -> None:
    texts = made_up(3000, seed=7)
    assert len(set(texts)) == 3000
    assert texts == made_up(3000, seed=7)
    assert texts[:10] != made_up(10, seed=8)
    assert all(15 < len(text) < 200 and "{" not in text for text in texts)


def test_questions_are_about_the_texts() -> None:
    asked = questions(["My dog is called Anna and is afraid of punk"], 2, seed=1)
    assert asked == ["What do you know about called Anna and is afraid of punk?"] * 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\ufefftea\n\n  milk \ntea\n"),
        ("a.csv", 'id,text\n1,tea\n2,\n3,"milk\n"\n'),
        ("a.json", '["tea", {"text": "milk"}]'),
        ("a.jsonl", '{"text": "tea", "user_id": "u"}\n\n{"text": "milk"}\n'),
    ],
)
def test_texts_are_read(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_texts(tmp_path / name) == ["tea", "milk"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b" \n", "holds no text"),
        ("a.txt", b"\xff\xfe\xff", "is not UTF-8 text"),
        ("a.csv", b"id,body\n1,tea\n", "has no texts; give one text a line"),
        ("a.json", b'{"text": "tea"}', "has no texts"),
        ("a.json", b'[{"text": 3}]', "has no texts"),
        ("a.jsonl", b"tea\n", "has no texts"),
        ("a.txt", b"a" * 16_385, "holds a text of 16,385 characters"),
    ],
)
def test_a_file_without_texts_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match=says):
        read_texts(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"cannot read .*none\.txt: No such file"):
        read_texts(tmp_path / "none.txt")


def test_sizes() -> None:
    assert parse_sizes("10000, 1000,1000", full=False) == [1000, 10_000]
    assert parse_sizes("1000", full=True) == [1000, 100_000]


@pytest.mark.parametrize("text", ["", "a", "1000,", "0", "1000001", "-5"])
def test_a_wrong_size_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="--sizes takes numbers"):
        parse_sizes(text, full=False)
