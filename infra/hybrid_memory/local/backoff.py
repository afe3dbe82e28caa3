"""How long to wait before a dead process is started again, and when to give up. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Seconds, and a count.

    A process that lived for `settled_after` has done well: its earlier deaths are forgotten.
    """

    first_delay: float = 0.5
    longest_delay: float = 15.0
    settled_after: float = 30.0
    quick_deaths: int = 5
    """So many quick deaths in a row, and it is given up."""
    stop_deadline: float = 20.0
    """How long a process may take to stop before it is killed."""


@dataclass(slots=True)
class Backoff:
    """The deaths of one process."""

    policy: RestartPolicy
    deaths: int = 0

    def after_death(self, lived: float) -> float | None:
        """Seconds to wait before the next start, given how long it lived; None = give up."""
        self.deaths = 1 if lived >= self.policy.settled_after else self.deaths + 1
        if self.deaths >= self.policy.quick_deaths:
            return None
        return min(self.policy.first_delay * 2.0 ** (self.deaths - 1), self.policy.longest_delay)
