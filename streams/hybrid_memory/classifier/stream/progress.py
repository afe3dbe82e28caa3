"""When each batch in flight last showed life, and how far each partition is done. May be used from any thread."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class Progress:
    """What the watchdog watches. Times are the clock's seconds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._alive: dict[int, float] = {}
        self._behind_since: float | None = None
        self.positions: dict[int, int] = {}
        """The offset after the last delivered record of each partition."""

    def alive(self, batch: int) -> None:
        """A batch began, or is tried again."""
        self._alive[batch] = self._clock()

    def ended(self, batch: int) -> None:
        """A batch is no longer in flight."""
        self._alive.pop(batch, None)
        self._behind_since = None

    def lag(self, records: int | None) -> None:
        """How many records wait in the partitions of this process; None: nobody knows."""
        if not records:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._clock()

    def stuck(self, limit: float) -> str | None:
        """What has not moved for `limit` seconds, or None while all is well."""
        now = self._clock()
        oldest = min(list(self._alive.values()), default=now)
        if now - oldest > limit:
            return f"a batch has been in flight for {now - oldest:.0f} s"
        behind = self._behind_since
        if not self._alive and behind is not None and now - behind > limit:
            return f"records have waited for {now - behind:.0f} s and none was read"
        return None
