"""What is wrong with a taxonomy that can be read, in sentences. Pure: vectors of the examples are given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.classifier.prototypes import Matrix
from hybrid_memory.classifier.taxonomy import Label, Taxonomy, repeats
from hybrid_memory.classifier.words import words

SAME_MEANING = 0.75
"""Cosine of the mean examples of two labels from which they can hardly be told apart; the shipped ones reach 0.66."""
SAME_WORDS = 0.5
"""Share of the key words of the label with fewer that another label may have too."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to mend: what, of which labels, and the sentence that says it."""

    kind: str
    labels: tuple[str, ...]
    says: str


def review_words(taxonomy: Taxonomy) -> list[Fault]:
    """What can be seen without vectors."""
    twice = [Fault("repeat", (label,), says) for label, says in repeats(taxonomy)]
    shared = [*_shared(taxonomy, "key word"), *_same_words(taxonomy), *_shared(taxonomy, "example")]
    return [*twice, *shared, *_bare(taxonomy)]


def review_meaning(taxonomy: Taxonomy, examples: Sequence[Matrix], classifier: FastClassifier) -> list[Fault]:
    """What the examples' vectors (a matrix a label) and the finished classifier show."""
    return [*_same_meaning(taxonomy, examples), *_unreached(taxonomy, examples, classifier)]


def _shared(taxonomy: Taxonomy, kind: str) -> Iterator[Fault]:
    holders: dict[tuple[str, ...], dict[str, None]] = {}
    for label in taxonomy.labels:
        for text in label.keywords if kind == "key word" else label.examples:
            holders.setdefault(tuple(words(text)), {})[label.name] = None
    for phrase, found in holders.items():
        names = tuple(found)
        if phrase and len(names) > 1:
            says = f"the {kind} '{' '.join(phrase)}' stands under {_and(names)}; leave it where it says most"
            yield Fault(f"shared {kind}", names, says)


def _same_words(taxonomy: Taxonomy) -> Iterator[Fault]:
    phrases = {label.name: {tuple(words(keyword)) for keyword in label.keywords} for label in taxonomy.labels}
    for one, other in combinations(phrases, 2):
        common = len(phrases[one] & phrases[other])
        if common and common >= SAME_WORDS * min(len(phrases[one]), len(phrases[other])):
            says = (
                f"{_and((one, other))} have {common} key word{'s' * (common > 1)} in common; one label may do for both"
            )
            yield Fault("overlap", (one, other), says)


def _bare(taxonomy: Taxonomy) -> Iterator[Fault]:
    for label in taxonomy.labels:
        if not label.examples:
            yield Fault("no examples", (label.name,), f"'{label.name}' has no examples, so only its key words show it")


def _same_meaning(taxonomy: Taxonomy, examples: Sequence[Matrix]) -> Iterator[Fault]:
    means = [
        (label, _unit(rows.mean(axis=0))) for label, rows in zip(taxonomy.labels, examples, strict=True) if len(rows)
    ]
    for (one, mean), (other, its_mean) in combinations(means, 2):
        cosine = float(mean @ its_mean)
        if cosine >= SAME_MEANING:
            says = f"the examples of {_and((one.name, other.name))} mean nearly the same (cosine {cosine:.2f})"
            yield Fault("overlap", (one.name, other.name), says)


def _unreached(taxonomy: Taxonomy, examples: Sequence[Matrix], classifier: FastClassifier) -> Iterator[Fault]:
    for label, rows in zip(taxonomy.labels, examples, strict=True):
        given = [
            classifier.classify(text, row).classifiers for text, row in zip(label.examples, rows.tolist(), strict=True)
        ]
        missed = [
            (text, labels) for text, labels in zip(label.examples, given, strict=True) if label.name not in labels
        ]
        if missed and len(missed) == len(given):
            yield Fault("unreached", (label.name,), f"'{label.name}' is reached by none of its own examples")
        else:
            yield from (_astray(label, text, labels) for text, labels in missed)


def _astray(label: Label, text: str, given: tuple[str, ...]) -> Fault:
    says = f"the example '{text}' of '{label.name}' is taken for {_and(given) if given else 'nothing'}"
    return Fault("astray", (label.name, *given), says)


def _unit(vector: Matrix) -> Matrix:
    length = float(np.linalg.norm(vector))
    unit: Matrix = vector / length if length else vector
    return unit


def _and(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
