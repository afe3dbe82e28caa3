"""Work that a service does behind its probes, in a thread of its own."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable


class Background(ABC):
    """Starts in the background, so that the service answers its probes meanwhile.

    `on_failure` is called from the thread when it ends by an error; `failure` then holds it.
    """

    def __init__(self, name: str, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most this long."""
        if self.alive:
            self._thread.join(seconds)

    @abstractmethod
    def _run(self) -> None:
        """The work, until its end."""

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error
            self._on_failure()
