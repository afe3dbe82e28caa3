"""What a component could not do with a memory, it does again when it is asked: the entry points of the group
`hybrid_memory.dlq.redrivers`, by the stage at which letters died.

An entry point is a function of the settings and the keys of memories; it makes sure that they will be done again, and
says how, in a few words. This component knows none of them.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from hybrid_memory.runtime.settings import Settings

GROUP = "hybrid_memory.dlq.redrivers"

Redriver = Callable[[Settings, Sequence[str]], str]


def redriver_of(stage: str) -> Redriver | None:
    """The one of this stage, where its component is installed."""
    for entry in entry_points(group=GROUP, name=stage):
        found: Redriver = entry.load()
        return found
    return None
