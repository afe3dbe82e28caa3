"""An event loop in a thread of its own, for code that blocks and yet asks many at once."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from hybrid_memory.runtime.errors import Unavailable

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines for other threads until it is closed. The thread keeps no process alive."""

    def __init__(self, name: str) -> None:
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name=name, daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def closed(self) -> bool:
        return not self._thread.is_alive()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Its result; blocks.

        Raises:
            Unavailable: this is closed, or was so meanwhile. Else what the coroutine raises.
        """
        if self.closed:
            coroutine.close()
            raise Unavailable("this classifier is closed")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise Unavailable("this classifier was closed") from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs, and end. May be called twice."""
        if not self.closed:
            self._loop.call_soon_threadsafe(self._ends.set)
            self._thread.join()

    async def _main(self) -> None:
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await self._ends.wait()
