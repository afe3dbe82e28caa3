"""Notices that another generation of the index has become the current one."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from hybrid_memory.index.generations import Generations
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.sink.ownership import NotItsView
from hybrid_memory.sink.state import Braked, LogMoved

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class Turning:
    """Looks now and then, in a thread of its own, until `stop` is set.

    `turn` is set when who follows the log should stop: for good if `stop` is set too, else to go on with `wanted`.
    """

    def __init__(
        self, generations: Generations, stop: threading.Event, seconds: float, tick: Callable[[], None] = lambda: None
    ) -> None:
        """`tick` is called at each look."""
        self.turn = threading.Event()
        self.wanted = ""
        self._generations = generations
        self._stop = stop
        self._seconds = seconds
        self._tick = tick
        self._mine = ""
        self._declined = ""
        self._thread = threading.Thread(target=self._run, name="generations", daemon=True)

    def follow(self, name: str) -> threading.Event:
        """This generation is followed from now on; the event that ends that."""
        self._mine = name
        self.turn.clear()
        if self._stop.is_set():
            self.turn.set()
        if self._thread.ident is None:
            self._thread.start()
        return self.turn

    def attempt(self, go_on: Callable[[str], _T]) -> _T | None:
        """Go on with the wanted one; None where that cannot be. Unless that may pass, it is not wanted again."""
        try:
            return go_on(self.wanted)
        except Unavailable as error:
            _LOG.warning("%s is current now, and this process cannot go on with it yet: %s", self.wanted, error)
            return None
        except NotItsView as error:
            reason = error.what
        except (Refusal, LogMoved, Braked) as error:
            reason = str(error)
        self._declined = self.wanted
        _LOG.warning("%s is current now, and this process stays with %s: %s", self.wanted, self._mine, reason)
        return None

    def join(self) -> None:
        """Wait until nothing is looked at any more, and let go of the generations. Call it after `stop` was set."""
        if self._thread.is_alive():
            self._thread.join()
        self._generations.close()

    def end(self) -> None:
        """Have the follower stop. Call it after `stop` was set."""
        self.turn.set()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._tick()
                name = self._generations.current()
            except (Unavailable, Refusal) as error:
                _LOG.debug("the current index is not known: %s", error)
            except Exception:
                _LOG.exception("the look at the index failed")
            else:
                if name not in (self._mine, self._declined):
                    self.wanted = name
                    self.turn.set()
