"""Fast classifiers: key words and nearest examples in one score. Pure, deterministic, tens of microseconds a text.

    score(label) = near(label) + 0.15 × min(weight of its key words in the text, 2)

`near` is that of `prototypes`, the weights are those of `rules` (a word 1, a phrase more). A label counts when its
score is at least 0.08 and at least half of the strongest one's; at most three are given, the strongest first, equally
strong ones in the order of the taxonomy. Where no label reaches 0.08, none is given.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hybrid_memory.classifier.prototypes import Matrix, Prototypes
from hybrid_memory.classifier.rules import Labels, Rules

Vector = Sequence[float]

_KEYWORD = 0.15
_ENOUGH = 2.0
_LEAST = 0.08
_WEAKEST = 0.5


class FastClassifier:
    """The labels of a text and its vector, of memories and of a query's context alike. Safe to share between threads.

    The vectors must be of the embedder that made the prototypes'. Without prototypes it is the rules alone.
    """

    def __init__(self, rules: Rules, prototypes: Prototypes | None) -> None:
        self.version = rules.version
        self._rules = rules
        self._prototypes = prototypes

    def classify(self, text: str, vector: Vector) -> Labels:
        """At most three classifiers, the strongest first, and the topic that they imply.

        Where those near enough imply none, but the text's key words do, it is that one.
        """
        return self.over({text: vector}).classify(text)

    def over(self, vectors: Mapping[str, Vector]) -> "Rules | KnownTexts":
        """A function of the text alone, for texts whose vectors are given: one product for all of them."""
        if self._prototypes is None or not vectors:
            return self._rules
        near = self._prototypes.near(np.asarray(list(vectors.values()), dtype=np.float32))
        return KnownTexts(self._rules, dict(zip(vectors, near, strict=True)))


class KnownTexts:
    """The classifiers of texts that were embedded before."""

    def __init__(self, rules: Rules, near: Mapping[str, Matrix]) -> None:
        self.version = rules.version
        self._rules = rules
        self._near = near

    def classify(self, text: str) -> Labels:
        """See `FastClassifier.classify`. Raises KeyError for a text whose vector was not given."""
        by_words = self._rules.scores(text)
        scores: list[float] = self._near[text].tolist()  # a few dozen numbers: quicker than as an array
        for label, weight in by_words.items():
            scores[label] += _KEYWORD * min(weight, _ENOUGH)
        least = max(_LEAST, _WEAKEST * max(scores))
        near = (at for at, score in enumerate(scores) if score >= least)
        labels = self._rules.labels(sorted(near, key=lambda at: -scores[at]))
        return labels if labels.topic or not by_words else labels._replace(topic=self._rules.classify(text).topic)
