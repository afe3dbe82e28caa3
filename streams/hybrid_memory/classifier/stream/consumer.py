"""Faust's consumer, mended in three places. It leans on private names: the version is pinned.

- Commits follow what was delivered. Faust counts acknowledged offsets one by one, and stays behind for good where
  compaction left gaps. One agent delivers every partition in order, so the last delivered offset says it all.
- Nothing is committed once the stream is frozen, and nothing is waited for: what is in flight then is done again.
- Where the buffer is full, Faust looks again a second later, in which a fast classifier has long run dry. Ours looks
  after milliseconds.
"""

import asyncio
from typing import Any

import cramjam  # noqa: F401  without it aiokafka cannot read zstd: better said now than at the first record
import faust
from faust.transport.drivers import aiokafka
from faust.types import TP
from mode.services import WaitResults

from hybrid_memory.classifier.stream.eager import Waiting, at_once

_ROOM_SECONDS = 0.005


class StreamConsumer(aiokafka.Consumer):
    """Commits up to the last record that was delivered, whatever gaps there are before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._delivered: dict[TP, int] = {}
        self.frozen = False

    def delivered(self, tp: TP, offset: int) -> None:
        """All of `tp` up to `offset` is done. Acknowledge the record afterwards."""
        self._delivered[tp] = offset

    def freeze(self) -> None:
        """Commit nothing from now on, and let go of what was not delivered, so that Faust can stop."""
        self.frozen = True
        self._clean_unacked_messages()

    def _clean_unacked_messages(self) -> None:
        # Called again and again while Faust waits for what it has handed out, to which more may come when frozen.
        if self.frozen:
            self._unacked_messages.clear()
        else:
            super()._clean_unacked_messages()

    async def _wait_next_records(self, timeout: float) -> Any:
        while self._buffered_partitions and not self._active_partitions and self.flow_active and not self.should_stop:
            await asyncio.sleep(_ROOM_SECONDS)
        # Partitions that the buffer keeps back are not asked for while others are waited for.
        return await super()._wait_next_records(_ROOM_SECONDS if self._buffered_partitions else timeout)

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:
        """As Faust's, but that what is done at once needs no tasks: handing over a record seldom waits."""
        if len(coros) != 2 or not all(map(asyncio.iscoroutine, coros)):
            return await super().wait_first(*coros, timeout=timeout)
        first, second = coros
        try:
            result = at_once(first)
        except Waiting as waiting:
            return await super().wait_first(waiting.rest, second, timeout=timeout)
        second.close()
        return WaitResults([first], [result], self.should_stop)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        self._gap.pop(tp, None)
        last = self._delivered.get(tp)
        return None if last is None or self.frozen else last + 1


class StreamTransport(aiokafka.Transport):
    """Kafka, read by our consumer."""

    Consumer = StreamConsumer


class StreamApp(faust.App):
    """A Faust app that reads by our consumer and writes no folders."""

    @property
    def reader(self) -> StreamConsumer:
        """Its consumer."""
        consumer = self.consumer
        assert isinstance(consumer, StreamConsumer)
        return consumer

    def _new_transport(self) -> StreamTransport:
        return StreamTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        return
