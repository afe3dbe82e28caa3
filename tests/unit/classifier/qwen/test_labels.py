"""Whatever a model writes, what comes out are short lower-case noun phrases within the limits, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from hybrid_memory.classifier.qwen.labels import clean, says_none
from hybrid_memory.schemas.events import Classifiers

LIMITS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Classifiers)
PIECES = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [", ", "\n", "; ", "- ", "1. ", '"', "none", "Food", "food", ".", "! ", ": ", "\x00", "\ud800", " "]
    ),
)

CASES = {
    "food preference, thai cuisine": ("food preference", "thai cuisine"),
    "Food Preference, FOOD preference , travel": ("food preference", "travel"),
    "one, two, three, four": ("one", "two", "three"),
    "- pets\n- cats": ("pets", "cats"),
    "* pets\n• cats\n– dogs": ("pets", "cats", "dogs"),
    "1. pets\n2) cats\n(3) dogs": ("pets", "cats", "dogs"),
    "\"pets\", 'cats', “dogs”": ("pets", "cats", "dogs"),
    '["pets", "cats"]': ("pets", "cats"),
    "**pets**; `cats`.": ("pets", "cats"),
    "pets.": ("pets",),
    "node.js, c++, 3d printing": ("node.js", "c++", "3d printing"),
    "2024 olympics, 90s music": ("2024 olympics", "90s music"),
    "the user really likes cats, pets": ("pets",),
    "Sure! Here it is: pets": (),
    "I like cats. They purr": (),
    "why?, pets": ("pets",),
    "pets, none": ("pets",),
    "none": (),
    "": (),
    " , ,, ;": (),
    "x" * 65: (),
    "x" * 64: ("x" * 64,),
    "pe\x07ts, cats": ("cats",),
    "half \ufffd, cats": ("cats",),
    "…, 🧀, cats": ("cats",),
    "café,  ice \t cream ": ("café", "ice cream"),
    "食べ物、旅行": ("食べ物", "旅行"),
    "İstanbul": ("i̇stanbul",),
}


@pytest.mark.parametrize("answer", CASES)
def test_an_answer(answer: str) -> None:
    assert clean(answer) == CASES[answer]


@pytest.mark.parametrize("answer", CASES)
def test_what_is_clean_stays_as_it_is(answer: str) -> None:
    assert clean(", ".join(CASES[answer])) == CASES[answer]


def test_half_a_phrase_does_not_count() -> None:
    assert clean("pets, cats, do", whole=False) == ("pets", "cats")
    assert clean("a rambl", whole=False) == ()
    assert clean("pets, cats, ", whole=False) == ("pets", "cats")


@given(st.lists(PIECES, max_size=12).map("".join), st.booleans())
def test_any_answer_keeps_the_limits(answer: str, whole: bool) -> None:
    labels = clean(answer, whole)
    assert LIMITS.validate_python(labels) == labels
    assert len(labels) <= 3
    for label in labels:
        assert label == " ".join(label.lower().split())
        assert len(label.split()) <= 4
        assert label != "none"


@pytest.mark.parametrize("answer", ["none", "None.", ' "none" ', "- none", "NONE\n"])
def test_none_is_an_answer(answer: str) -> None:
    assert says_none(answer)


@pytest.mark.parametrize("answer", ["", "nonesuch", "none of these", "pets, none", "."])
def test_other_answers_are_not_none(answer: str) -> None:
    assert not says_none(answer)
