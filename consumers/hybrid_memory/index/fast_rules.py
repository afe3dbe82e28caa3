"""The sink's fast classifiers as a classifier, so that whoever falls back on the rules answers as the sink does."""

import logging
from collections.abc import Sequence

from hybrid_memory.classifier import Rules
from hybrid_memory.classifier.fast import FastClassifier
from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.classifier.taxonomies import taxonomy_of
from hybrid_memory.index.embedder import Embedder
from hybrid_memory.index.embedders import make_embedder
from hybrid_memory.index.labelling import fast_classifier
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


class FastRules(Classifier):
    """Key words and nearest examples; the embedder is loaded for the first text, since most processes need it for none.

    Where no embedder can be had, it is the key words alone, and says so once.

    Raises:
        Refusal: the taxonomy cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._taxonomy = taxonomy_of(settings)
        self._maker = Maker("rules", taxonomy=Rules(self._taxonomy).version)
        self._opened: tuple[Embedder | None, FastClassifier] | None = None

    @property
    def maker(self) -> Maker:
        return self._maker

    @property
    def batch_size(self) -> int:
        return 64

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        embedder, fast = self._opened = self._opened or self._open()
        vectors = {} if embedder is None else dict(zip(texts, embedder.embed(texts), strict=True))
        rules = fast.over(vectors)
        return [Answer(rules.classify(text).classifiers, self._maker) for text in texts]

    def _open(self) -> tuple[Embedder | None, FastClassifier]:
        try:
            embedder = _load(self._settings)
        except Refusal as refusal:
            _LOG.warning("the rules go by key words alone: %s", refusal)
            return None, FastClassifier(Rules(self._taxonomy), None)
        return embedder, fast_classifier(self._taxonomy, embedder, self._settings.data_dir / "prototypes")


def _load(settings: Settings) -> Embedder:
    """The embedder, with torch left as many threads as it had: a model of this process may need them."""
    if settings.embedder.kind == "hash":
        return make_embedder(settings)
    try:
        import torch
    except ModuleNotFoundError:
        return make_embedder(settings)  # which says what to install
    threads = torch.get_num_threads()
    try:
        return make_embedder(settings)
    finally:
        torch.set_num_threads(threads)
