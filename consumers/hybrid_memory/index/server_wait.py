"""Opens an index on a server, however long the server takes to be there."""

import logging
import threading
from collections.abc import Callable

from hybrid_memory.index.server import ServerStore
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.settings import QdrantSettings

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT = 5.0


def open_when_there(
    settings: QdrantSettings, dimensions: int, create: bool, stop: threading.Event, waiting: Callable[[str], None]
) -> ServerStore | None:
    """The store, or None when `stop` was set before it could be opened. `waiting` hears what it waits for.

    Raises:
        Refusal: as :meth:`ServerStore.open`.
    """
    wait, said = 0.2, ""
    while not stop.is_set():
        try:
            return ServerStore.open(settings, dimensions, create)
        except Unavailable as error:
            waiting(str(error))
            if str(error) != said:
                said = str(error)
                _LOG.warning("waiting for the index: %s", said)
        stop.wait(wait)
        wait = min(wait * 2, _LONGEST_WAIT)
    return None
