"""Classifiers of memories: the key-word rules and the taxonomy that they follow."""

from hybrid_memory.classifier.rules import Labels, Rules, default_rules
from hybrid_memory.classifier.taxonomy import Label, Taxonomy, TaxonomyError, default_taxonomy, load_taxonomy

__all__ = [
    "Label",
    "Labels",
    "Rules",
    "Taxonomy",
    "TaxonomyError",
    "default_rules",
    "default_taxonomy",
    "load_taxonomy",
]
