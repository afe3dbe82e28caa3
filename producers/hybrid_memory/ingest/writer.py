"""The writer that the product uses: a Kafka producer that gives up soon."""

from collections.abc import Sequence

from hybrid_memory.ingest.ports import Outcome
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import NewRecord

DELIVERY_TIMEOUT = 5.0
"""Seconds. An HTTP caller is told 503 rather than left to wait, and nothing is tried after that."""


class KafkaWriter:
    """A `Writer` over a `Publisher`, which connects in the background.

    Raises:
        Refusal: a Kafka setting is wrong.
    """

    def __init__(self, settings: Settings, delivery_timeout: float = DELIVERY_TIMEOUT) -> None:
        self._publisher = Publisher(settings, delivery_timeout)

    async def append(self, records: Sequence[NewRecord]) -> list[Outcome]:
        return await self._publisher.append(records)

    def close(self) -> None:
        """Let what is on its way settle, and end. Blocks, at most for the delivery timeout."""
        self._publisher.close(DELIVERY_TIMEOUT)
