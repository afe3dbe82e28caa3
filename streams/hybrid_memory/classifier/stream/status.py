"""What the stream is doing, for probes and logs. May be read and told from any thread."""

import logging
import threading
from typing import Literal

StateName = Literal["starting", "running", "retrying", "stopping"]

LOADING = "loading the classifier"

_LOG = logging.getLogger(__name__)


class Status:
    """A state, and why where that needs a reason. A change is logged, once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._name: StateName = "starting"
        self._reason = LOADING
        self._troubles: dict[int, str] = {}

    def become(self, name: StateName, reason: str = "") -> None:
        """Be this from now on."""
        with self._lock:
            self._change(name, reason)

    def trouble(self, batch: int, reason: str | None) -> None:
        """A batch (0: all of them) cannot go on and why; None: it can. While one cannot, the stream is retrying."""
        with self._lock:
            if reason is None and not self._troubles:
                return
            self._troubles.pop(batch, None)
            if reason is not None:
                self._troubles[batch] = reason
            if self._name in ("running", "retrying"):
                worst = next(iter(self._troubles.values()), "")
                self._change("retrying" if worst else "running", worst)

    @property
    def not_ready(self) -> str | None:
        """Why it does not classify now, or None while it does."""
        with self._lock:
            if self._name == "running":
                return None
            return f"the stream is {self._name}{f': {self._reason}' if self._reason else ''}"

    @property
    def loading(self) -> bool:
        """Whether the classifier is being loaded. Asked by a signal handler, so it takes no lock."""
        return self._reason == LOADING

    def _change(self, name: StateName, reason: str) -> None:
        if (name, reason) != (self._name, self._reason):
            level = logging.WARNING if name == "retrying" else logging.INFO
            _LOG.log(level, "the stream is %s%s", name, f": {reason}" if reason else "")
        self._name, self._reason = name, reason
