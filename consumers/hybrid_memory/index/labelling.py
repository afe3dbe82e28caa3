"""The fast classifiers of a taxonomy, over the embedder of an index."""

from hybrid_memory.classifier import Rules, Taxonomy, TaxonomyError
from hybrid_memory.classifier.choose import taxonomy_of
from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.classifier.prototypes import Matrix, Prototypes
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings


def open_fast_classifier(settings: Settings, embedder: Embedder) -> FastClassifier:
    """That of the taxonomy which these settings name.

    Raises:
        Refusal: the taxonomy cannot be used.
    """
    try:
        taxonomy = taxonomy_of(settings)
    except TaxonomyError as error:
        raise Refusal(str(error)) from None
    return fast_classifier(taxonomy, embedder)


def fast_classifier(taxonomy: Taxonomy, embedder: Embedder) -> FastClassifier:
    """Its examples are embedded here, in one call: about a second for the shipped ones. Without any, key words rule."""
    examples = example_vectors(taxonomy, embedder)
    return FastClassifier(Rules(taxonomy), Prototypes(examples) if any(map(len, examples)) else None)


def example_vectors(taxonomy: Taxonomy, embedder: Embedder) -> list[Matrix]:
    """The vectors of each label's examples."""
    vectors = embedder.embed([example for label in taxonomy.labels for example in label.examples])
    found, at = [], 0
    for label in taxonomy.labels:
        found.append(vectors[at : at + len(label.examples)])
        at += len(label.examples)
    return found
