"""The routes in an app of their own, over a log and an index in memory."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hybrid_memory.ingest import Outcome, make_router
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.http import BodyLimit, EncodedSlashes, install_problems
from hybrid_memory.schemas import Memory, MemoryEvent, NewRecord, Position, Record, decode_memory

MAX_BODY = 1024 * 1024


class Log:
    """Keeps what it takes. `fails` says what becomes of the n-th record."""

    def __init__(self) -> None:
        self.records: list[NewRecord] = []
        self.fails: Callable[[int], Exception | None] = lambda n: None

    async def append(self, records: Sequence[NewRecord]) -> list[Outcome]:
        return [self._append(record) for record in records]

    def _append(self, record: NewRecord) -> Outcome:
        error = self.fails(len(self.records))
        self.records.append(record)
        if error is None:
            return Position(topic_id="log", partition=0, offset=len(self.records) - 1)
        if isinstance(error, Outcome):
            return error
        raise error

    @property
    def events(self) -> list[MemoryEvent]:
        """What a reader of the log reads."""
        return [
            decode_memory(Record("memories", 0, i, 0, r.key, r.value, r.headers)) for i, r in enumerate(self.records)
        ]

    @property
    def memory(self) -> Memory:
        """The only event, a memory."""
        [event] = self.events
        assert isinstance(event, Memory)
        return event


class Index:
    """Has applied every offset below `applied`; `waits` are the patience of each question."""

    def __init__(self) -> None:
        self.applied = 10**6
        self.away = False
        self.waits: list[float] = []

    async def wait(self, positions: Sequence[Position], timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        if self.away:
            raise Unavailable("the index is away")
        return all(position.offset < self.applied for position in positions)


def describe(text: str) -> tuple[Sequence[str], str | None]:
    return (("food preference", "cuisine"), "food") if "food" in text else (("personal",), None)


class Api:
    """The app and what is behind it."""

    def __init__(self, expect_stream: bool = False) -> None:
        self.log = Log()
        self.index = Index()
        self.app = FastAPI(redirect_slashes=False)
        self.app.include_router(make_router(self.log, self.index, describe, wait_ms=1500, expect_stream=expect_stream))
        self.app.add_middleware(EncodedSlashes)
        self.app.add_middleware(BodyLimit, max_bytes=MAX_BODY)
        install_problems(self.app)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test")

    async def add(self, **body: Any) -> httpx.Response:
        return await self.http.post("/add_memory", json=body)

    async def add_batch(self, *memories: Any, **query: Any) -> httpx.Response:
        return await self.http.post("/add_memories_batch", json={"memories": memories}, params=query)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    async with made.http:
        yield made


@pytest.fixture
async def streaming_api() -> AsyncIterator[Api]:
    """Where a classifier stream is expected."""
    made = Api(expect_stream=True)
    async with made.http:
        yield made
