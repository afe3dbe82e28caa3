"""What the sink is doing, and the ways in which its session with the log ends early."""

from dataclasses import dataclass
from typing import Literal

StateName = Literal["starting", "running", "retrying", "braked", "stopped"]


@dataclass(frozen=True, slots=True)
class SinkState:
    """What the sink is doing, and why where that needs a reason."""

    name: StateName
    reason: str = ""


class LogMoved(Exception):  # noqa: N818
    """A partition cannot be read from where it should be: attach to the log anew."""


class Reassigned(Exception):  # noqa: N818
    """The consumer group has given this sink other partitions: attach to the log anew."""


class Braked(Exception):  # noqa: N818
    """Too much of what was read is dead: stop, before the topic is emptied into the dead letters."""
