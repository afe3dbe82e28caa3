"""The client of the HTTP API for asyncio applications."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from hybrid_memory.client import http_requests as requests
from hybrid_memory.client import http_transport as transport
from hybrid_memory.client.drafts import OptionalFields
from hybrid_memory.client.errors import ClientClosed
from hybrid_memory.client.http_replies import (
    AnyPage,
    DeadLetter,
    DeadLetterPage,
    DeletedAll,
    Deletion,
    DropResult,
    ImportResult,
    Insert,
    MemoryView,
    Page,
    PendingEdit,
    RedriveResult,
    SearchResult,
    WholeDeadLetter,
    import_results,
)
from hybrid_memory.client.http_requests import FilterFields, LetterFields, Order, PatchFields, Request
from hybrid_memory.schemas import Position

P = TypeVar("P", bound=AnyPage)


class AsyncHttpMemoryClient:
    """`HttpMemoryClient` with coroutines: the same verbs, arguments, promises and errors; never blocks the loop."""

    def __init__(
        self,
        url: str = transport.URL,
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
    ) -> None:
        """As `HttpMemoryClient`."""
        self._httpx = transport.import_httpx()
        self._client = self._httpx.AsyncClient(**transport.options(url, api_key, token))
        self._timeout, self._retries = timeout, retries

    async def add(self, user_id: str, text: str, *, wait: bool = True, **fields: Unpack[OptionalFields]) -> Insert:
        """As `HttpMemoryClient.add`."""
        return Insert.model_validate(await self._send(requests.add(user_id, text, fields, wait)))

    async def add_many(
        self, user_id: str, memories: Iterable[Mapping[str, Any]], *, wait: bool = True
    ) -> list[ImportResult]:
        """As `HttpMemoryClient.add_many`."""
        given, results = list(memories), []
        for first in range(0, len(given), requests.AT_ONCE):
            part = given[first : first + requests.AT_ONCE]
            results += import_results(await self._send(requests.import_many(user_id, part, wait)))
        return results

    async def get(self, user_id: str, memory_id: str) -> MemoryView:
        """As `HttpMemoryClient.get`."""
        return MemoryView.model_validate(await self._send(requests.get(user_id, memory_id)))

    def list(
        self, user_id: str, *, order: Order = "newest", page_size: int = 100, **wanted: Unpack[FilterFields]
    ) -> AsyncIterator[MemoryView]:
        """As `HttpMemoryClient.list`."""
        pages = self._pages(requests.page(user_id, order, page_size, wanted), Page)
        return (memory async for page in pages for memory in page.memories)

    async def update(
        self,
        user_id: str,
        memory_id: str,
        *,
        if_match: str | None = None,
        wait: bool = True,
        **fields: Unpack[PatchFields],
    ) -> MemoryView | PendingEdit:
        """As `HttpMemoryClient.update`."""
        body = await self._send(requests.update(user_id, memory_id, fields, if_match, wait))
        return (MemoryView if "seq" in body else PendingEdit).model_validate(body)

    async def delete(self, user_id: str, memory_id: str, *, if_match: str | None = None, wait: bool = True) -> Deletion:
        """As `HttpMemoryClient.delete`."""
        return Deletion.model_validate(await self._send(requests.delete(user_id, memory_id, if_match, wait)))

    async def delete_all(self, user_id: str, *, wait: bool = True) -> DeletedAll:
        """As `HttpMemoryClient.delete_all`."""
        return DeletedAll.model_validate(await self._send(requests.delete_all(user_id, wait)))

    async def search(
        self,
        user_id: str,
        context: str,
        *,
        limit: int = 10,
        score_threshold: float | None = None,
        use_classifiers: bool = True,
        explain: bool = False,
        after: Sequence[Position | str] = (),
        wait_ms: int | None = None,
        **wanted: Unpack[FilterFields],
    ) -> SearchResult:
        """As `HttpMemoryClient.search`."""
        request = requests.search(
            user_id,
            context,
            wanted,
            after,
            limit=limit,
            score_threshold=score_threshold,
            use_classifiers=use_classifiers,
            explain=explain,
            wait_ms=wait_ms,
        )
        return SearchResult.model_validate(await self._send(request))

    def dead_letters(self, *, page_size: int = 100, **wanted: Unpack[LetterFields]) -> AsyncIterator[DeadLetter]:
        """As `HttpMemoryClient.dead_letters`."""
        pages = self._pages(requests.dead_letters(wanted, page_size), DeadLetterPage)
        return (letter async for page in pages for letter in page.letters)

    async def dead_letter(self, letter: str) -> WholeDeadLetter:
        """As `HttpMemoryClient.dead_letter`."""
        return WholeDeadLetter.model_validate(await self._send(requests.dead_letter(letter)))

    async def redrive(
        self,
        letters: Sequence[str] | None = None,
        *,
        dry_run: bool = False,
        value: str | None = None,
        max_redrives: int | None = None,
        **wanted: Unpack[LetterFields],
    ) -> RedriveResult:
        """As `HttpMemoryClient.redrive`."""
        request = requests.redrive(letters, wanted, dry_run=dry_run, value=value, max_redrives=max_redrives)
        return RedriveResult.model_validate(await self._send(request))

    async def drop_dead_letters(
        self,
        letters: Sequence[str] | None = None,
        *,
        reason: str,
        dry_run: bool = False,
        **wanted: Unpack[LetterFields],
    ) -> DropResult:
        """As `HttpMemoryClient.drop_dead_letters`."""
        request = requests.drop(letters, wanted, reason=reason, dry_run=dry_run)
        return DropResult.model_validate(await self._send(request))

    async def close(self) -> None:
        """As `HttpMemoryClient.close`."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _pages(self, request: Request, kind: type[P]) -> AsyncIterator[P]:
        while True:
            page = kind.model_validate(await self._send(request))
            yield page
            if page.next_cursor is None:
                return
            request = requests.at(page.next_cursor, request)

    async def _send(self, request: Request) -> Any:
        attempts = transport.Attempts(request, self._retries, self._client.base_url)
        while True:
            if self._client.is_closed:
                raise ClientClosed
            try:
                reply = await self._client.request(**transport.arguments(request, self._timeout))
            except self._httpx.TransportError as error:
                pause: float | None = attempts.pause_after_failure(error)
            else:
                pause = attempts.pause_after(reply)
                if pause is None:
                    return attempts.answer(reply)
            await asyncio.sleep(pause or 0.0)
