"""Which classifier these settings come to, and why: decided before anything is loaded, then opened."""

from dataclasses import dataclass
from typing import Literal

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.rules import Rules, default_rules
from hybrid_memory.classifier.taxonomy import Taxonomy, default_taxonomy, load_taxonomy
from hybrid_memory.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to classify, and why in a sentence."""

    kind: Literal["qwen", "rules", "server", "service"]
    why: str


def choose(settings: Settings) -> Choice:
    """Decide. Loads nothing; `auto` may ask the model hub whether it answers.

    Raises:
        Refusal: what was asked for by name cannot be had; the sentence says what to do.
    """
    if settings.classifier.kind == "rules":
        return Choice("rules", "they were asked for")
    raise NotImplementedError


def open_classifier(settings: Settings) -> tuple[Classifier, Choice]:
    """The chosen classifier, ready to answer; a model is downloaded, with progress, and loaded here.

    Raises:
        Refusal: see `choose`; or the weights, the taxonomy or the prompt cannot be used.
    """
    choice = choose(settings)
    if choice.kind == "rules":
        return rule_classifier(settings), choice
    raise NotImplementedError


def taxonomy_of(settings: Settings) -> Taxonomy:
    """The taxonomy that these settings name."""
    path = settings.classifier.taxonomy
    return default_taxonomy() if path is None else load_taxonomy(path)


def rule_classifier(settings: Settings) -> RuleClassifier:
    """The rules of that taxonomy."""
    return RuleClassifier(default_rules() if settings.classifier.taxonomy is None else Rules(taxonomy_of(settings)))
