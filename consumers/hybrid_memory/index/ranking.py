"""How good a memory is as an answer: one formula, the same for every store and every kind of text. Pure.

    score = (text + 1 × words + 0.05 × classifiers) / 2.05

text         cosine of the context's vector and the memory's; below 0 counts 0
words        BM25 of the context's words in the memory, as the share of what these words could attain at all
classifiers  how near the memory's classifiers come to those of the context

Each part is between 0 and 1 and means the same in every query, and so does the score. The weights are not fitted to a
data set: on five public ones, cosine plus the attainable share beat cosine alone on four and lost .01 on the fifth,
where rank fusion (RRF) lost up to .08; classifiers with more weight than this outvote the text (docs/search.md).
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from hybrid_memory.index.bm25 import K1

WORDS = 1.0
CLASSIFIERS = 0.05
_WHOLE = 1 + WORDS + CLASSIFIERS

_UNRELATED = 0.5
"""The cosine of two short noun phrases that have little to do with each other; the same phrase has 1."""


class Parts(NamedTuple):
    """What a score is made of, each between 0 and 1."""

    text: float = 0.0
    words: float = 0.0
    classifiers: float = 0.0

    def weighed(self) -> dict[str, tuple[float, float]]:
        """(part, weight) by name; the score is the sum of their products."""
        return {
            "text": (self.text, 1 / _WHOLE),
            "words": (self.words, WORDS / _WHOLE),
            "classifiers": (self.classifiers, CLASSIFIERS / _WHOLE),
        }

    @property
    def score(self) -> float:
        """Between 0 and 1, and comparable between queries."""
        return (self.text + WORDS * self.words + CLASSIFIERS * self.classifiers) / _WHOLE


def text_part(cosine: float) -> float:
    """The part of the text vectors' cosine."""
    return _share(cosine)


def attainable(rarities: Iterable[float]) -> float:
    """The BM25 of a memory that is full of every word of the context: at most a limit, which none reaches.

    `rarities` are the words' own weights (IDF), those that stand in no memory included.
    """
    return (K1 + 1) * sum(rarities)


def words_part(bm25: float, attainable: float) -> float:
    """The share of the attainable."""
    return _share(bm25 / attainable) if attainable > 0 else 0.0


def classifiers_part(sum_of_best: float, labels: int) -> float:
    """From the sum, over the context's labels, of the best cosine among the memory's classifiers (MaxSim)."""
    return _share((sum_of_best / labels - _UNRELATED) / (1 - _UNRELATED)) if labels else 0.0


def rarity_of_unknown(memories: int) -> float:
    """The weight (IDF) of a word that stands in none of so many memories, as Qdrant counts it."""
    return math.log(1 + (memories + 0.5) / 0.5)


def _share(value: float) -> float:
    return 0.0 if value <= 0.0 else min(1.0, value)
