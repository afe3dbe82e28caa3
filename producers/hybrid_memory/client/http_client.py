"""The client of the HTTP API."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class HttpMemoryClient:
    """Writes, reads and searches through the HTTP API (port 8765); needs httpx, and no Kafka.

    With an API key, or a user's token, where the service asks for one. What is turned away for a while (429, 503, no
    answer) is tried again, at most `retries` times and as late as the service asks; an edit only where it cannot have
    been written. Thread-safe. Close it when done, or use it in a `with`.

    Raises (any call):
        ServiceAway: the service does not answer, or cannot now.
        NotAllowed: the key or token does not open this.
        RequestRefused: the service will never take this; `errors` name the fields.
        InvalidCall: the call has no such argument, or not both of these.
        ClientClosed: `close` was called.
    """

    def __init__(
        self,
        url: str = transport.URL,
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
    ) -> None:
        """Opens no connection yet. `timeout` (seconds) is for one attempt, beside what a search is to wait.

        Raises:
            ClientRefused: the URL, the key or the token cannot be one, both of these are given, or httpx is missing.
        """
        self._httpx = transport.import_httpx()
        self._client = self._httpx.Client(**transport.options(url, api_key, token))
        self._timeout, self._retries = timeout, retries

    def add(self, user_id: str, text: str, *, wait: bool = True, **fields: Unpack[OptionalFields]) -> Insert:
        """Add a memory, or replace the one with this id; the fields are those of `MemoryClient.add`.

        With `wait` it answers when a search finds the memory (`searchable`), else when it is durable.

        Raises:
            InvalidMemory: a field breaks its limits; nothing was sent.
        """
        return Insert.model_validate(self._send(requests.add(user_id, text, fields, wait)))

    def add_many(self, user_id: str, memories: Iterable[Mapping[str, Any]], *, wait: bool = True) -> list[ImportResult]:
        """Add memories of a user, with an answer for each, in order; one that is wrong costs the others nothing."""
        given = list(memories)
        parts = (given[first : first + requests.AT_ONCE] for first in range(0, len(given), requests.AT_ONCE))
        return [one for part in parts for one in import_results(self._send(requests.import_many(user_id, part, wait)))]

    def get(self, user_id: str, memory_id: str) -> MemoryView:
        """One memory.

        Raises:
            NoSuchMemory: the user has none with this id, or it has expired.
        """
        return MemoryView.model_validate(self._send(requests.get(user_id, memory_id)))

    def list(
        self, user_id: str, *, order: Order = "newest", page_size: int = 100, **wanted: Unpack[FilterFields]
    ) -> Iterator[MemoryView]:
        """All of the user's memories that fit the filter, fetched `page_size` at a time as they are asked for."""
        pages = self._pages(requests.page(user_id, order, page_size, wanted), Page)
        return (memory for page in pages for memory in page.memories)

    def update(
        self,
        user_id: str,
        memory_id: str,
        *,
        if_match: str | None = None,
        wait: bool = True,
        **fields: Unpack[PatchFields],
    ) -> MemoryView | PendingEdit:
        """Change what is named. Of several edits of one version one wins; `if_match` is the `etag` of that version.

        Without `wait`, or where the index does not show it in time, it is a `PendingEdit`.

        Raises:
            EditLost: the memory is at another version, or another edit was first.
            NoSuchMemory: the user has none with this id.
        """
        body = self._send(requests.update(user_id, memory_id, fields, if_match, wait))
        return (MemoryView if "seq" in body else PendingEdit).model_validate(body)

    def delete(self, user_id: str, memory_id: str, *, if_match: str | None = None, wait: bool = True) -> Deletion:
        """Delete a memory; one that does not exist may be deleted too. With `if_match`, only that version: else 412."""
        return Deletion.model_validate(self._send(requests.delete(user_id, memory_id, if_match, wait)))

    def delete_all(self, user_id: str, *, wait: bool = True) -> DeletedAll:
        """Delete all memories of a user. What is written while it runs may stay."""
        return DeletedAll.model_validate(self._send(requests.delete_all(user_id, wait)))

    def search(
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
        """The user's memories that fit a context, best first. It waits until the index shows the writes of `after`."""
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
        return SearchResult.model_validate(self._send(request))

    def dead_letters(self, *, page_size: int = 100, **wanted: Unpack[LetterFields]) -> Iterator[DeadLetter]:
        """Our dead letters that fit, the first to fail first, fetched page by page; needs the scope admin."""
        pages = self._pages(requests.dead_letters(wanted, page_size), DeadLetterPage)
        return (letter for page in pages for letter in page.letters)

    def dead_letter(self, letter: str) -> WholeDeadLetter:
        """All of one dead letter, by its name.

        Raises:
            NoSuchMemory: none stands there.
        """
        return WholeDeadLetter.model_validate(self._send(requests.dead_letter(letter)))

    def redrive(
        self,
        letters: Sequence[str] | None = None,
        *,
        dry_run: bool = False,
        value: str | None = None,
        max_redrives: int | None = None,
        **wanted: Unpack[LetterFields],
    ) -> RedriveResult:
        """Append dead letters again, by their names or, without names, those that fit; an empty filter is all.

        `value` is what the one letter that is named says instead. Nothing newer is overwritten: what stays is told.
        """
        request = requests.redrive(letters, wanted, dry_run=dry_run, value=value, max_redrives=max_redrives)
        return RedriveResult.model_validate(self._send(request))

    def drop_dead_letters(
        self,
        letters: Sequence[str] | None = None,
        *,
        reason: str,
        dry_run: bool = False,
        **wanted: Unpack[LetterFields],
    ) -> DropResult:
        """Drop dead letters for good, by their names or, without names, those that fit."""
        request = requests.drop(letters, wanted, reason=reason, dry_run=dry_run)
        return DropResult.model_validate(self._send(request))

    def close(self) -> None:
        """Let go of the connections. A second call does nothing."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pages(self, request: Request, kind: type[P]) -> Iterator[P]:
        while True:
            page = kind.model_validate(self._send(request))
            yield page
            if page.next_cursor is None:
                return
            request = requests.at(page.next_cursor, request)

    def _send(self, request: Request) -> Any:
        attempts = transport.Attempts(request, self._retries, self._client.base_url)
        while True:
            if self._client.is_closed:
                raise ClientClosed
            try:
                reply = self._client.request(**transport.arguments(request, self._timeout))
            except self._httpx.TransportError as error:
                pause: float | None = attempts.pause_after_failure(error)
            else:
                pause = attempts.pause_after(reply)
                if pause is None:
                    return attempts.answer(reply)
            time.sleep(pause or 0.0)
