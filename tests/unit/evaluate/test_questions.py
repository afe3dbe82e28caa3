"""Files that are evaluated, and those that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from hybrid_memory.evaluate.questions import read_questions
from hybrid_memory.runtime.errors import Refusal

GOOD = {
    "user_id": "ada",
    "memories": [{"id": "1", "text": "Likes tea", "more": 1}, {"id": "2", "text": "Has a cat"}],
    "queries": [{"text": "pets?", "relevant": ["2"]}],
}


def written(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "questions.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_good_file(tmp_path: Path) -> None:
    [ada] = read_questions(written(tmp_path, [GOOD]))
    assert (ada.user_id, len(ada.memories), ada.queries[0].relevant) == ("ada", 2, frozenset("2"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no json", "Invalid JSON"),
        ([], "at least 1 item"),
        ([{**GOOD, "queries": []}], "it asks no question"),
        ([GOOD, GOOD], "a user stands in it twice"),
        ([{**GOOD, "queries": [{"text": "?", "relevant": ["3"]}]}], "question 0 of user 'ada' names '3'"),
        ([{**GOOD, "queries": [{"text": "?", "relevant": []}]}], r"0\.queries\.0\.relevant: .*at least 1 item"),
        ([{**GOOD, "memories": [{"id": "2", "text": "a"}] * 2}], "two memories of user 'ada' have the same id"),
        ([{"user_id": "ada", "queries": []}], r"0\.memories: Field required"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(Refusal, match=f"questions.json: .*{says}"):
        read_questions(written(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"cannot read .*none.json: No such file"):
        read_questions(tmp_path / "none.json")
