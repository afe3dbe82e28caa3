"""Classifiers by key words: pure, deterministic, some microseconds a text."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, Self

from hybrid_memory.classifier.taxonomy import Label, Taxonomy, default_taxonomy
from hybrid_memory.classifier.words import forms, words

MAX_RULE_CLASSIFIERS = 3
_WEAKEST = 1 / 3
"""A label counts when its score is at least this share of the strongest one's."""


class Labels(NamedTuple):
    """What the rules say of a text; empty, without a topic, where no key word stands in it."""

    classifiers: tuple[str, ...]
    topic: str | None


class _Entry(NamedTuple):
    """A key word, what it shows, and how strongly."""

    phrase: tuple[str, ...]
    labels: tuple[int, ...]
    weight: float


class Rules:
    """Key words of a taxonomy, compiled once. Safe to share between threads.

    Words match in any case and with their plural, -ed and -ing forms; where several key words begin at a word, the
    longest counts and covers its words ("hot dog" is no pet). Each key word counts once, a phrase for more than a word.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.version = taxonomy.version
        self.names = tuple(label.name for label in taxonomy.labels)
        self.topics = tuple(label.topic for label in taxonomy.labels)
        phrases = _phrases(taxonomy.labels)
        self._base = _base_forms(phrases)
        self._entries = _index(phrases, self._base)

    def classify(self, text: str, vector: Sequence[float] | None = None) -> Labels:  # noqa: ARG002
        """At most three classifiers, the strongest first, and the topic that they imply. No vector is needed."""
        scores = self.scores(text)
        if not scores:
            return Labels((), None)
        least = max(scores.values()) * _WEAKEST
        return self.labels(sorted((at for at in scores if scores[at] >= least), key=lambda at: (-scores[at], at)))

    def labels(self, ranked: Iterable[int]) -> Labels:
        """The first of these labels, given by their numbers, and the first topic among them all."""
        ranked = tuple(ranked)
        topic = next((self.topics[at] for at in ranked if self.topics[at] is not None), None)
        return Labels(tuple(self.names[at] for at in ranked[:MAX_RULE_CLASSIFIERS]), topic)

    def over(self, vectors: Mapping[str, Sequence[float]]) -> Self:  # noqa: ARG002
        """These rules themselves: they need no vectors."""
        return self

    def scores(self, text: str) -> dict[int, float]:
        """Label number to score, of the labels that have a key word in the text."""
        found = [self._base.get(word) for word in words(text)]
        scores: dict[int, float] = {}
        counted: set[_Entry] = set()
        at = 0
        while at < len(found):
            entry = self._longest(found, at)
            at += 1 if entry is None else len(entry.phrase)
            if entry is None or entry in counted:
                continue
            counted.add(entry)
            for label in entry.labels:
                scores[label] = scores.get(label, 0.0) + entry.weight
        return scores

    def _longest(self, found: list[str | None], at: int) -> _Entry | None:
        first = found[at]
        if first is None:
            return None
        for entry in self._entries.get(first, ()):
            if len(entry.phrase) == 1 or tuple(found[at : at + len(entry.phrase)]) == entry.phrase:
                return entry
        return None


@cache
def default_rules() -> Rules:
    """The rules of the shipped taxonomy."""
    return Rules(default_taxonomy())


def _phrases(labels: tuple[Label, ...]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Each key word, as words, with the labels that have it."""
    phrases: dict[tuple[str, ...], tuple[int, ...]] = {}
    for number, label in enumerate(labels):
        for keyword in label.keywords:
            phrase = tuple(words(keyword))
            phrases[phrase] = (*phrases.get(phrase, ()), number)
    return phrases


def _base_forms(phrases: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Every form of every word of a key word, with the word that it is a form of.

    A word that is a key word by itself is no other word's form: "training" beside "train" is "training".
    """
    phrases = tuple(phrases)
    base = {phrase[0]: phrase[0] for phrase in phrases if len(phrase) == 1}
    listed = dict.fromkeys(word for phrase in phrases for word in phrase)
    for word in sorted(listed, key=len):  # a form is longer than its word
        own = base.setdefault(word, word)
        for form in forms(word):
            base.setdefault(form, own)
    return base


def _index(phrases: dict[tuple[str, ...], tuple[int, ...]], base: dict[str, str]) -> dict[str, tuple[_Entry, ...]]:
    """The key words in base forms, by their first word, the longest first."""
    merged: dict[tuple[str, ...], dict[int, None]] = {}
    for phrase, labels in phrases.items():
        merged.setdefault(tuple(base[word] for word in phrase), {}).update(dict.fromkeys(labels))
    index: dict[str, list[_Entry]] = {}
    for phrase, labels_of in merged.items():
        index.setdefault(phrase[0], []).append(_Entry(phrase, tuple(labels_of), (1 + len(phrase)) / 2))
    return {first: tuple(sorted(entries, key=lambda entry: -len(entry.phrase))) for first, entries in index.items()}
