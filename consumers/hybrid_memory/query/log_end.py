"""How far the log goes."""

import asyncio
import threading

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, Position

_ANSWER_SECONDS = 5.0


class LogEnd:
    """Asks Kafka for the end of `memories`. Opens no connection until it is used; may be asked from any loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic_prefix + MEMORIES
        self._cluster: Cluster | None = None
        self._making = threading.Lock()

    async def positions(self) -> list[Position]:
        """The last position of each partition that has had any.

        Raises:
            Unavailable, Refusal: Kafka does not say.
        """
        return await asyncio.to_thread(self._positions)

    def _positions(self) -> list[Position]:
        with self._making:
            self._cluster = self._cluster or Cluster(self._settings, _ANSWER_SECONDS)
        topic = self._cluster.topics([self._topic]).get(self._topic)
        if topic is None:
            raise Unavailable(f"topic {self._topic} does not exist; make it with: hm topics apply")
        ends = self._cluster.ends(topic)
        return [Position(topic_id=topic.topic_id, partition=n, offset=end - 1) for n, end in ends.items() if end]
