"""The client of asyncio applications."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from hybrid_memory.client.client import client_settings
from hybrid_memory.client.delivery import IN_FLIGHT, Outcome, all_added, not_delivered
from hybrid_memory.client.drafts import OptionalFields, as_deletion, as_memory
from hybrid_memory.client.errors import ClientClosed, NotDelivered
from hybrid_memory.client.events import Added, to_record
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Memory, MemoryEvent, Position


class AsyncMemoryClient:
    """`MemoryClient` with coroutines: the same verbs, arguments, promises and errors; never blocks the loop."""

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        topic_prefix: str | None = None,
        settings: Settings | None = None,
        timeout: float = 30.0,
    ) -> None:
        """As `MemoryClient`."""
        self._publisher = Publisher(client_settings(bootstrap_servers, topic_prefix, settings), timeout)
        self._closed = False

    async def add(
        self, user_id: str, text: str, *, traceparent: str | None = None, **fields: Unpack[OptionalFields]
    ) -> Added:
        """As `MemoryClient.add`."""
        memory = as_memory({"user_id": user_id, "text": text, **fields})
        return Added(memory.memory_id, await self._send(memory, traceparent))

    async def add_many(
        self, memories: Iterable[Memory | Mapping[str, Any]], *, traceparent: str | None = None
    ) -> list[Added]:
        """As `MemoryClient.add_many`. When it is cancelled, what was sent until then is written nevertheless."""
        checked = [as_memory(memory, index) for index, memory in enumerate(memories)]
        outcomes: list[Outcome] = []
        for first in range(0, len(checked), IN_FLIGHT):
            outcomes += await self._send_all(checked[first : first + IN_FLIGHT], traceparent)
        return all_added(checked, outcomes)

    async def delete(self, user_id: str, memory_id: str, *, traceparent: str | None = None) -> Position:
        """As `MemoryClient.delete`."""
        return await self._send(as_deletion(user_id, memory_id), traceparent)

    async def close(self) -> None:
        """As `MemoryClient.close`."""
        self._closed = True
        await asyncio.to_thread(self._publisher.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, event: MemoryEvent, traceparent: str | None) -> Position:
        landed = (await self._send_all([event], traceparent))[0]
        if isinstance(landed, NotDelivered):
            raise landed
        return landed

    async def _send_all(self, events: Sequence[MemoryEvent], traceparent: str | None) -> list[Outcome]:
        if self._closed:
            raise ClientClosed
        landed = await self._publisher.append([to_record(event, traceparent) for event in events])
        return [
            place if isinstance(place, Position) else not_delivered(event, place)
            for event, place in zip(events, landed, strict=True)
        ]
