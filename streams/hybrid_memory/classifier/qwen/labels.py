"""What a model wrote, as classifiers: short lower-case noun phrases, and nothing else."""

import re
import unicodedata

NONE = "none"
"""What the model says where nothing fits."""

MAX_LABELS = 3
_MAX_WORDS = 4
_MAX_CHARACTERS = 64

_BREAK = re.compile(r"[,;\n\r\u2028\u2029\u3001\uff0c]")
_LEADING = re.compile(r"^(?:[-*•–—+>#]+|\(?\d{1,2}[.):](?!\d)|[\s\"'`“”‘’«»\[\](){}])+")
_TRAILING = re.compile(r"[\s\"'`“”‘’«»\[\](){}.*]+$")
# A dot inside a word ("node.js") ends no sentence.
_SENTENCE = re.compile(r"[!?:]|\.(?:\s|$)")


def clean(answer: str, whole: bool = True) -> tuple[str, ...]:
    """The classifiers in an answer: at most three, each once, in their order; none where nothing usable stands in it.

    With `whole` false the answer was cut short: its last phrase may be half of one, and does not count.
    """
    pieces = _BREAK.split(answer)
    if not whole:
        pieces.pop()
    labels: dict[str, str] = {}
    for piece in pieces:
        label = _label(piece)
        if label is not None:
            labels.setdefault(label.casefold(), label)
    return tuple(labels.values())[:MAX_LABELS]


def says_none(answer: str) -> bool:
    """Whether the answer is that nothing fits."""
    return _bare(answer) == NONE


def _label(piece: str) -> str | None:
    label = _bare(piece)
    fits = 0 < len(label) <= _MAX_CHARACTERS and len(label.split()) <= _MAX_WORDS
    readable = fits and any(char.isalnum() for char in label) and not any(map(_is_odd, label))
    return label if readable and label != NONE and not _SENTENCE.search(label) else None


def _bare(piece: str) -> str:
    """Without bullets, numbers, quotes, final dots and spare white space; in lower case."""
    spaced = " ".join(piece.split())
    return _TRAILING.sub("", _LEADING.sub("", spaced)).lower()


def _is_odd(char: str) -> bool:
    """Control characters, lone surrogates, unassigned ones, and what a decoder writes for half a character."""
    return unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co", "Cf") or char == "\ufffd"
