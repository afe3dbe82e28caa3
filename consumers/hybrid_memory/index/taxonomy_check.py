"""Checks a taxonomy with the embedder that the settings name, where it can be had."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hybrid_memory.classifier import Taxonomy, TaxonomyError, default_taxonomy
from hybrid_memory.classifier.review import Fault, review_meaning, review_words
from hybrid_memory.classifier.taxonomy import read_taxonomy
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import example_vectors, fast_classifier
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `left_out` says why meaning was not looked at, where it was not."""

    version: str | None
    labels: int
    examples: int
    faults: list[Fault] = field(default_factory=list)
    left_out: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.faults, **asdict(self)}


def check(file: Path | None, settings: Settings) -> Verdict:
    """Everything that is wrong with this file. Of one that has not the form of a taxonomy, only the form is looked at.

    Raises:
        Refusal: it cannot be read or is not YAML, so nothing was checked.
    """
    try:
        taxonomy = default_taxonomy() if file is None else read_taxonomy(file)
    except TaxonomyError as error:
        if not error.faults:
            raise Refusal(str(error)) from None
        return Verdict(None, 0, 0, [Fault("form", (), says) for says in error.faults])
    examples = sum(len(label.examples) for label in taxonomy.labels)
    faults, left_out = review_words(taxonomy), None
    if examples:
        try:
            faults += _review_meaning(taxonomy, make_embedder(settings))
        except Refusal as refusal:
            left_out = str(refusal)
    return Verdict(taxonomy.version, len(taxonomy.labels), examples, faults, left_out)


def _review_meaning(taxonomy: Taxonomy, embedder: Embedder) -> list[Fault]:
    vectors = example_vectors(taxonomy, embedder)
    return review_meaning(taxonomy, vectors, fast_classifier(taxonomy, embedder))
