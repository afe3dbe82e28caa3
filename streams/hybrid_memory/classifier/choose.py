"""Which classifier these settings come to, and why: decided before anything is loaded, then opened."""

from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Literal

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.rules import Rules
from hybrid_memory.classifier.taxonomies import taxonomy_of
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.extras import to_install
from hybrid_memory.runtime.settings import ClassifierSettings, Settings

RULES = "hybrid_memory.classifier.rules"
"""The entry-point group of the sink's own rules: settings in, a classifier out."""


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
    wanted = settings.classifier
    if wanted.kind == "rules":
        return Choice("rules", "they were asked for")
    if wanted.kind.startswith("http"):
        return Choice("server", f"{wanted.kind} was asked for")
    if wanted.kind == "auto" and settings.use_classifier_service:
        return Choice("service", "USE_CLASSIFIER_SERVICE is set")
    can_be_had, why = _model(wanted)
    if not can_be_had and wanted.kind == "qwen":
        raise Refusal(f"{why}, or go without: --classifier rules")
    return Choice("qwen" if can_be_had else "rules", why)


def open_classifier(settings: Settings) -> tuple[Classifier, Choice]:
    """The chosen classifier, ready to answer; a model is downloaded, with progress, and loaded here.

    Raises:
        Refusal: see `choose`; or the weights, the taxonomy or the prompt cannot be used.
    """
    choice = choose(settings)
    return _open(choice, settings), choice


def _open(choice: Choice, settings: Settings) -> Classifier:
    if choice.kind == "rules":
        return rule_classifier(settings)
    if choice.kind == "server":
        from hybrid_memory.classifier.remote.openai import open_server

        return open_server(settings)
    if choice.kind == "service":
        from hybrid_memory.classifier.remote.service import open_service

        return open_service(settings)
    from hybrid_memory.classifier.qwen.classifier import open_qwen

    return open_qwen(settings.classifier, taxonomy_of(settings))


def _model(wanted: ClassifierSettings) -> tuple[bool, str]:
    """Whether the model can be had, and why or what to do."""
    absent = [name for name in ("torch", "transformers", "huggingface_hub") if find_spec(name) is None]
    if absent:
        return False, f"a model needs the package {absent[0]}; {to_install('streams')}"
    from hybrid_memory.classifier.qwen.weights import find_weights, missing

    place = find_weights(wanted)
    return (False, missing(wanted, place)) if place.kind == "nowhere" else (True, place.why)


def rule_classifier(settings: Settings) -> Classifier:
    """The rules of that taxonomy as the sink applies them, by key words and examples, where it is installed too; else
    by key words alone. The sink needs an embedder and lies on a higher floor, so its rules come by entry point.

    Raises:
        Refusal: the taxonomy cannot be used.
    """
    for entry in entry_points(group=RULES):
        found: Classifier = entry.load()(settings)
        return found
    return RuleClassifier(Rules(taxonomy_of(settings)))
