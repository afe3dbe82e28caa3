"""Faust's consumer, mended in three places. It leans on private names: the version is pinned.

- Commits follow what was delivered. Faust counts acknowledged offsets one by one, and stays behind for good where
  compaction left gaps. One agent delivers every partition in order, so the last delivered offset says it all.
- Nothing is committed once the stream is frozen, and nothing is waited for: what is in flight then is done again.
- Where the buffer is full, reading waits until there is room. Faust would take the partition out of fetching and look
  again a second later, in which a fast classifier has long run dry.
"""

from typing import Any

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP


class StreamConsumer(aiokafka.Consumer):
    """Commits up to the last record that was delivered, whatever gaps there are before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._delivered: dict[TP, int] = {}
        self._frozen = False

    def delivered(self, tp: TP, offset: int) -> None:
        """All of `tp` up to `offset` is done. Acknowledge the record afterwards."""
        self._delivered[tp] = offset

    def freeze(self) -> None:
        """Commit nothing from now on, and let go of what was not delivered, so that Faust can stop."""
        self._frozen = True
        self._unacked_messages.clear()

    def on_buffer_full(self, tp: TP) -> None:  # noqa: ARG002
        return

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        self._gap.pop(tp, None)
        last = self._delivered.get(tp)
        return None if last is None or self._frozen else last + 1


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
