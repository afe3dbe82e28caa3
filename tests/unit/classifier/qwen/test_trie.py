"""Answers that keep to the trie, whatever the model prefers: random preferences, and every rule by name."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_memory.classifier.qwen.constrained import TriePicker
from hybrid_memory.classifier.qwen.trie import Trie

LABELS = ("health", "health care", "pets", "pet care", "care", "none so far", "a b c d")
END = 0


class Words:
    """A tokenizer of whole words: a number for each word and for each comma, spaces before words do not count."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {"<end>": END}

    def words(self, phrase: str) -> list[int]:
        parts = phrase.replace(",", " , ").split()
        return [self.numbers.setdefault(part, len(self.numbers)) for part in parts]


class Glued(Words):
    """One that writes a comma and the word after it as one token."""

    def words(self, phrase: str) -> list[int]:
        parts = phrase.replace(", ", " ,").split()
        return [self.numbers.setdefault(part, len(self.numbers)) for part in parts]


class Alike(Words):
    """One that cannot write most letters."""

    def words(self, phrase: str) -> list[int]:
        return [super(Alike, self).words("," if part == "," else "x")[0] for part in phrase.replace(",", " , ").split()]


def trie_of(labels: Sequence[str] = LABELS) -> tuple[Trie, dict[str, int]]:
    words: Any = Words()
    return Trie(labels, words, END), words.numbers


def answers(trie: Trie, scores: Any) -> list[tuple[str, ...]]:
    """What rows with these scores, (rows, steps, tokens), come to."""
    import torch

    tokens = scores.shape[-1]
    # Hidden states are the scores themselves, through a head that changes nothing.
    model: Any = SimpleNamespace(
        lm_head=SimpleNamespace(weight=torch.eye(tokens)), device=torch.device("cpu"), dtype=torch.float32
    )
    picker = TriePicker(model, trie)
    picker.start(len(scores))
    written: list[list[int]] = [[] for _ in scores]
    ended = [False] * len(scores)
    for step in range(scores.shape[1]):
        picked, ends = picker.pick(scores[:, step])
        for row, (token, end) in enumerate(zip(picked.tolist(), ends.tolist(), strict=True)):
            ended[row] = ended[row] or end
            if not ended[row]:
                written[row].append(token)
    assert all(ended)
    return [trie.read(line) for line in written]


def wishing(numbers: dict[str, int], steps: int, *wishes: str) -> Any:
    """Scores of one row that wants these words in turn, and then goes on wanting the last."""
    import torch

    scores = torch.zeros((1, steps, len(numbers)))
    for step in range(steps):
        scores[0, step, numbers[wishes[min(step, len(wishes) - 1)]]] = 1.0
    return scores


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([LABELS, LABELS[:1], LABELS[:2], LABELS[2:3]]))
def test_any_answer_is_of_the_taxonomy(seed: int, labels: tuple[str, ...]) -> None:
    import torch

    trie, numbers = trie_of(labels)
    scores = torch.randn((32, trie.longest, len(numbers)), generator=torch.Generator().manual_seed(seed))
    for found in answers(trie, scores):
        assert len(found) <= 3
        assert len(set(found)) == len(found)
        assert set(found) <= set(labels)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (["none", "<end>"], ()),
        (["none", ",", "pets"], ()),
        (["health", "<end>"], ("health",)),
        (["health", "care", "<end>"], ("health care",)),
        (["health", ",", "health", "care", "<end>"], ("health", "health care")),
        (["health", "care", ",", "health", "<end>"], ("health care", "health")),
        (["pets", ",", "care", ",", "health", "<end>"], ("pets", "care", "health")),
        (["pets", ",", "care", ",", "health", ",", "a", "b", "c", "d"], ("pets", "care", "health")),
        (["none", "so", "far", "<end>"], ("none so far",)),
        (["a", "<end>", "<end>", "<end>", "<end>"], ("a b c d",)),
    ],
)
def test_an_answer_in_words(wishes: list[str], expected: tuple[str, ...]) -> None:
    trie, numbers = trie_of()
    assert answers(trie, wishing(numbers, trie.longest, *wishes)) == [expected]


def test_a_label_is_not_said_twice() -> None:
    trie, numbers = trie_of()
    [found] = answers(trie, wishing(numbers, trie.longest, "pets", ",", "pets", "<end>"))
    assert found[0] == "pets"
    assert found.count("pets") == 1
    [found] = answers(trie, wishing(numbers, trie.longest, "health", ",", "health", "<end>"))
    assert found == ("health", "health care")


def test_rows_that_move_keep_their_own_walk() -> None:
    import torch

    trie, numbers = trie_of()
    model: Any = SimpleNamespace(
        lm_head=SimpleNamespace(weight=torch.eye(len(numbers))), device=torch.device("cpu"), dtype=torch.float32
    )
    picker = TriePicker(model, trie)
    picker.start(3)
    first = torch.cat([wishing(numbers, 1, word)[:, 0] for word in ("pets", "health", "care")])
    picker.pick(first)
    picker.move(torch.tensor([2]), torch.tensor([0]), 2)  # "care" goes where "pets" was
    picked, _ = picker.pick(torch.cat([wishing(numbers, 1, "care")[:, 0]] * 2))
    assert picked.tolist()[1] == numbers["care"]  # "health care"
    assert picked.tolist()[0] in (END, numbers[","])  # "care" is whole


def test_what_cannot_be_told_apart_is_refused() -> None:
    for labels, words, says in (
        (("none", "pets"), Words(), "label 'none' cannot be used"),
        (("pets", "care"), Glued(), "joins the comma"),
        (("pets", "care"), Alike(), "does not tell all labels apart"),
    ):
        tokens: Any = words
        with pytest.raises(ValueError, match=says):
            Trie(labels, tokens, END)
