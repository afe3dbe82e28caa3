"""Forms of words, as English spells them."""

import pytest

from hybrid_memory.classifier.words import forms, words


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("dog", {"dogs"}),
        ("bake", {"bakes", "baked", "baking"}),
        ("run", {"runs", "running"}),
        ("travel", {"travels", "travelled", "traveled", "travelling", "traveling"}),
        ("study", {"studies", "studied", "studying"}),
        ("play", {"plays", "played", "playing"}),
        ("watch", {"watches", "watched", "watching"}),
        ("tie", {"ties", "tied", "tying"}),
        ("agree", {"agreed", "agreeing"}),
        ("potato", {"potatoes"}),
        ("snow", {"snowed", "snowing"}),
        ("bus", {"buses"}),
    ],
)
def test_forms(word: str, expected: set[str]) -> None:
    assert {word} | expected <= forms(word)


@pytest.mark.parametrize(
    ("word", "other"), [("car", "caring"), ("plan", "planes"), ("pet", "petes"), ("snow", "snowwed")]
)
def test_no_form_of_another_word(word: str, other: str) -> None:
    assert other not in forms(word)


@pytest.mark.parametrize("word", ["tv", "5k", "寿司", "naïve"])
def test_words_without_forms(word: str) -> None:
    assert forms(word) == {word}


def test_words_are_folded_and_cut() -> None:
    assert words("Don't  eat_GLUTEN-free Crème brûlée, ﬁne?") == (
        ["don", "t", "eat", "gluten", "free", "creme", "brulee", "fine"]
    )
