"""What the service runs behind its API: one thread that opens the classifier, and then feeds it."""

import logging
from collections.abc import Callable

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.service.gather import Gatherer
from hybrid_memory.runtime.background import Background
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.garbage import settled

_LOG = logging.getLogger(__name__)

Open = Callable[[], tuple[Classifier, Choice]]


class Engine(Background):
    """Opens the classifier, and feeds it with what the gatherer has."""

    def __init__(self, open_classifier: Open, gatherer: Gatherer, on_failure: Callable[[], None]) -> None:
        super().__init__("classifier", on_failure)
        self._open = open_classifier
        self._gatherer = gatherer
        self._classifier: Classifier | None = None

    def stop(self, patience_s: float = 30.0) -> None:
        """End. The batch that runs is waited for, at most this long; a model that is being loaded is not."""
        self._gatherer.stop(0)
        if self._classifier is not None:
            self.join(patience_s)

    def not_ready(self) -> str | None:
        """Why nothing can be classified now, or None."""
        return "the classifier is being loaded" if self._classifier is None else None

    def classifier(self) -> Classifier:
        """Who classifies.

        Raises:
            Unavailable: it is still being loaded.
        """
        if self._classifier is None:
            raise Unavailable("the classifier is being loaded", retry_after=2)
        return self._classifier

    def _run(self) -> None:
        classifier, choice = self._open()
        _LOG.info("ready", extra={"classifier": choice.kind, "why": choice.why})
        self._classifier = classifier
        try:
            with settled():
                self._gatherer.feed(classifier)
        finally:
            classifier.close()
