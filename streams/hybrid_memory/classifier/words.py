"""Text to words, and a word to its plural and verb forms. Pure."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_VOWELS = frozenset("aeiou")
_HISSING = ("s", "x", "z", "ch", "sh")


def words(text: str) -> list[str]:
    """The words of a text in order: case and accents folded; everything but letters and digits separates."""
    return _WORD.findall(text.lower() if text.isascii() else _fold(text))


def forms(word: str) -> frozenset[str]:
    """The word, its plural, and its -s, -ed and -ing forms as English spells them.

    Irregular forms are not known; words of one or two letters have none.
    """
    if not (word.isascii() and word.isalpha()) or len(word) < 3:
        return frozenset((word,))
    return frozenset((word, *_plurals(word), *_verb_forms(word)))


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in folded if unicodedata.category(char) != "Mn")


def _plurals(word: str) -> tuple[str, ...]:
    if word.endswith(_HISSING):
        return (word + "es",)
    if _ends_in_consonant_y(word):
        return (word[:-1] + "ies",)
    return (word + "s", word + "es") if word.endswith("o") else (word + "s",)


def _verb_forms(word: str) -> tuple[str, ...]:
    if word.endswith("ie"):
        return word + "d", word[:-2] + "ying"
    if word.endswith("e"):
        return word + "d", (word if word.endswith(("ee", "oe", "ye")) else word[:-1]) + "ing"
    if _ends_in_consonant_y(word):
        return word[:-1] + "ied", word + "ing"
    plain = (word + "ed", word + "ing")
    if not _may_double(word):
        return plain
    doubled = (word + word[-1] + "ed", word + word[-1] + "ing")
    # "car" has no "caring"; of "travel" both spellings are in use.
    return doubled if sum(char in _VOWELS for char in word) == 1 else plain + doubled


def _ends_in_consonant_y(word: str) -> bool:
    return word.endswith("y") and word[-2] not in _VOWELS


def _may_double(word: str) -> bool:
    """Whether it ends in consonant, vowel, consonant, as "plan" and "travel" do."""
    ending = word[-3:]
    return len(ending) == 3 and [char in _VOWELS for char in ending] == [False, True, False] and word[-1] not in "wxy"
