"""How far the index has applied the log, for those who wait for their own writes."""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hybrid_memory.index.store import TopicPartition
from hybrid_memory.schemas import Position


@dataclass(eq=False, slots=True)
class _Waiter:
    missing: list[Position]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[bool]"


@dataclass(slots=True)
class Applied:
    """The next offset to apply of each partition of `memories`, told by the sink's thread to any event loop."""

    _topic_id: str = ""
    _topic: str = ""
    _positions: dict[int, int] = field(default_factory=dict)
    _waiters: list[_Waiter] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    """Set when somebody begins to wait; cleared by who has heard it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, topic_id: str, topic: str, positions: Mapping[TopicPartition, int]) -> None:
        """The index follows this topic now, and carries these positions."""
        with self._lock:
            self._topic_id, self._topic = topic_id, topic
            self._positions = {}
        self.moved(positions)

    def moved(self, positions: Mapping[TopicPartition, int]) -> None:
        """The index now carries these positions; those of other topics are ignored."""
        with self._lock:
            self._positions.update({number: at for (name, number), at in positions.items() if name == self._topic})
            done = [waiter for waiter in self._waiters if self._reached(waiter.missing)]
            self._waiters = [waiter for waiter in self._waiters if waiter not in done]
        for waiter in done:
            waiter.loop.call_soon_threadsafe(_resolve, waiter.done)

    @property
    def waiting(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiters)

    @property
    def topic_id(self) -> str:
        """Of the topic that the index follows; nothing while that is not known."""
        return self._topic_id

    def up_to(self, partition: int) -> Position | None:
        """The last offset of this partition that the index shows, with all before it; None while there is none."""
        with self._lock:
            applied = self._positions.get(partition, 0)
            topic_id = self._topic_id
        return Position(topic_id=topic_id, partition=partition, offset=applied - 1) if applied and topic_id else None

    async def wait(self, positions: Iterable[Position], timeout: float) -> bool:
        """Wait until the index shows these writes, at most `timeout` seconds; whether it does."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(list(positions), loop, loop.create_future())
        with self._lock:
            if self._reached(waiter.missing):
                return True
            self._waiters.append(waiter)
        self.asked.set()
        try:
            return await asyncio.wait_for(waiter.done, timeout)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiters = [other for other in self._waiters if other is not waiter]

    def _reached(self, positions: list[Position]) -> bool:
        return all(
            position.topic_id == self._topic_id and self._positions.get(position.partition, 0) > position.offset
            for position in positions
        )


def _resolve(future: "asyncio.Future[bool]") -> None:
    if not future.done():
        future.set_result(True)
