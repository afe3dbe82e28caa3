"""Which taxonomy the settings name."""

from pathlib import Path

from hybrid_memory.classifier.taxonomy import Taxonomy, TaxonomyError, default_taxonomy, load_taxonomy
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings


def taxonomy_of(settings: Settings) -> Taxonomy:
    """The taxonomy that these settings name. Raises as `taxonomy_at`."""
    return taxonomy_at(settings.classifier.taxonomy)


def taxonomy_at(path: Path | None) -> Taxonomy:
    """The taxonomy of this file, or the shipped one.

    Raises:
        Refusal: it cannot be used.
    """
    try:
        return default_taxonomy() if path is None else load_taxonomy(path)
    except TaxonomyError as error:
        raise Refusal(str(error)) from None
