"""How often each may ask: a bucket of tokens for each, kept as one number."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Limiter:
    """`burst` requests at once, refilled at `per_second`. For one thread.

    What is kept for each is the moment at which its bucket is full again; one that is full need not be kept.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic, most: int = 100_000
    ) -> None:
        self._cost = 1 / per_second
        self._depth = burst / per_second
        self._clock = clock
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, who: str) -> float:
        """Take a token: 0.0 where there was one, else the seconds until there is, and nothing is taken."""
        now = self._clock()
        full_at = max(now, self._full_at.get(who, now)) + self._cost
        late = full_at - now - self._depth
        if late > 1e-9:  # sums of fractions
            return late
        self._full_at[who] = full_at
        self._full_at.move_to_end(who)
        self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Those who have not asked for longest, where their bucket is full or there are too many."""
        while self._full_at and (len(self._full_at) > self._most or next(iter(self._full_at.values())) <= now):
            self._full_at.popitem(last=False)
