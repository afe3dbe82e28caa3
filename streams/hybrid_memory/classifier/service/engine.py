"""What the service runs behind its API: one thread that opens the classifier, and then feeds it."""

import logging
import threading
from collections.abc import Callable

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.service.gather import Gatherer
from hybrid_memory.runtime.errors import Unavailable

_LOG = logging.getLogger(__name__)

Open = Callable[[], tuple[Classifier, Choice]]


class Engine:
    """Starts in the background, so that the API answers its probes while the model is loaded.

    `on_failure` is called from the engine's thread when it ends by an error; `failure` then holds it.
    """

    def __init__(self, open_classifier: Open, gatherer: Gatherer, on_failure: Callable[[], None]) -> None:
        self._open = open_classifier
        self._gatherer = gatherer
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._guarded, name="classifier", daemon=True)
        self._classifier: Classifier | None = None
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self, patience_s: float = 30.0) -> None:
        """End. The batch that runs is waited for, at most this long; a model that is being loaded is not."""
        self._gatherer.stop(0)
        if self._thread.is_alive() and self._classifier is not None:
            self._thread.join(patience_s)

    @property
    def busy(self) -> bool:
        """Whether its thread still runs: in the loading of the model, or in a batch that does not end."""
        return self._thread.is_alive()

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

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error
            self._on_failure()

    def _run(self) -> None:
        classifier, choice = self._open()
        _LOG.info("ready", extra={"classifier": choice.kind, "why": choice.why})
        self._classifier = classifier
        try:
            self._gatherer.feed(classifier)
        finally:
            classifier.close()
