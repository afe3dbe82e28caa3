"""Mem0's hosted platform over HTTP: the few calls that are needed, one attempt each.

Raised everywhere here:
    Unavailable   it is away, overloaded, or asks for a pause (`retry_after`); `patience.until_done` tries again
    Rejected      it will not have this one request; the same again is rejected again
    Refusal       it does not let us in, or is no Mem0 platform
No key is ever part of an error.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx

from hybrid_memory.mem0.pace import Pace
from hybrid_memory.mem0.states import Mem0Memory, from_platform
from hybrid_memory.mem0.status import Rejected, answer
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Mem0Settings

__all__ = ["Event", "EventPage", "Page", "PlatformApi", "Project", "Rejected"]


@dataclass(frozen=True, slots=True)
class Project:
    """Whose memories a key reaches."""

    org_id: str
    project_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some memories of a listing. `count`: how many there are in all, where Mem0 says; `more`: whether pages follow."""

    memories: tuple[Mem0Memory, ...]
    count: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the project-wide history. `raw` is all of it."""

    id: str
    memory_id: str
    event: str
    created_at: str | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events. `count`: how many there are in all, where Mem0 says."""

    events: tuple[Event, ...]
    count: int | None


Change = Callable[[Mem0Memory], Mapping[str, Any] | None]
"""The metadata that a memory should have; None: what it has."""


class PlatformApi:
    """Thread-safe. Requests are spaced by the settings' rate; a pause that Mem0 asks for holds for all threads."""

    def __init__(self, settings: Mem0Settings) -> None:
        if settings.api_key is None:
            raise Refusal("no Mem0 is named; set HM_MEM0__API_KEY (or HM_MEM0__API_KEY_FILE) to its project's API key")
        self._url = settings.url
        self._page_size = settings.page_size
        self._pace = Pace(settings.rate_per_second)
        self._http = httpx.Client(
            base_url=settings.url,
            headers={"Authorization": f"Token {settings.api_key.get_secret_value()}", "Accept": "application/json"},
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(max_connections=settings.concurrency),
        )

    def project(self) -> Project:
        """The organisation and project of the key."""
        said = self._call("GET", "/v1/ping/")
        if not isinstance(said, dict) or not isinstance(said.get("project_id"), str):
            raise Refusal(f"{self._url} answers, but not as Mem0's platform does; check HM_MEM0__URL")
        return Project(str(said.get("org_id")), said["project_id"])

    def get(self, memory_id: str) -> Mem0Memory | None:
        """A memory as it is now; None: there is none of this id."""
        said = self._call("GET", f"/v1/memories/{quote(memory_id, safe='')}/", absent=True)
        return None if said is None else self._memory(said)

    def page(self, filters: Mapping[str, Any], number: int, *, show_expired: bool = False) -> Page:
        """One page of what the filters mean; the first is 1, and beyond the last they are empty. `{"user_id": "*"}`
        means all that have one."""
        query = {"page": number, "page_size": self._page_size}
        body = {"filters": dict(filters), **({"show_expired": True} if show_expired else {})}
        said = self._call("POST", "/v3/memories/", params=query, json=body, absent=number > 1)
        found = tuple(self._memory(raw) for raw in _results(said))
        return Page(found, _count(said), isinstance(said, dict) and bool(said.get("next")))

    def pages(self, filters: Mapping[str, Any], first: int = 1) -> Iterator[tuple[int, Page]]:
        """All pages from `first` on, with their numbers. What changes meanwhile may shift from page to page."""
        number = first
        while True:
            page = self.page(filters, number)
            yield number, page
            if not page.more:
                return
            number += 1

    def events(self, number: int = 1) -> EventPage:
        """A page of the project's history; the first is 1, and beyond the last they are empty. Its order is not
        documented."""
        query = {"page": number, "limit": self._page_size}
        said = self._call("GET", "/v1/memories/events/", params=query, absent=number > 1)
        events = (_event(raw) for raw in _results(said))
        return EventPage(tuple(event for event in events if event is not None), _count(said))

    def entities(self) -> list[tuple[str, str]]:
        """All that have memories, as (user | agent | app | run, id)."""
        return [(str(raw.get("type")), str(raw.get("name"))) for raw in _results(self._call("GET", "/v1/entities/"))]

    def change_metadata(self, memory_id: str, change: Change) -> bool:
        """Replace a memory's metadata by what `change` makes of the memory; False: it makes nothing, or there is none
        of this id. Mem0 cannot merge: what another writes between the two requests is lost, so nothing of ours comes
        between, and no pause."""
        path = f"/v1/memories/{quote(memory_id, safe='')}/"
        self._pace.wait(turns=2)
        said = self._request("GET", path, absent=True)
        metadata = None if said is None else change(self._memory(said))
        if metadata is None:
            return False
        return self._request("PUT", path, json={"metadata": dict(metadata)}, absent=True) is not None

    def webhooks(self, project_id: str) -> list[dict[str, Any]]:
        """The project's webhooks."""
        return _results(self._call("GET", f"/api/v1/webhooks/projects/{quote(project_id, safe='')}/"))

    def add_webhook(self, project_id: str, url: str, name: str, events: list[str]) -> dict[str, Any]:
        """Have the platform call `url`; the webhook as it says it is."""
        body = {"url": url, "name": name, "event_types": events}
        said = self._call("POST", f"/api/v1/webhooks/projects/{quote(project_id, safe='')}/", json=body)
        return said if isinstance(said, dict) else {}

    def remove_webhook(self, webhook_id: str) -> bool:
        """Have it call no more; False: there is none of this id."""
        return self._call("DELETE", f"/api/v1/webhooks/{quote(webhook_id, safe='')}/", absent=True) is not None

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, path: str, *, absent: bool = False, **content: Any) -> Any:
        """The JSON that Mem0 answers, when it is its turn. With `absent`, None where it has no such thing."""
        self._pace.wait()
        return self._request(method, path, absent=absent, **content)

    def _request(self, method: str, path: str, *, absent: bool = False, **content: Any) -> Any:
        try:
            response = self._http.request(method, path, **content)
        except httpx.TransportError as error:
            raise Unavailable(f"Mem0 at {self._url} does not answer ({type(error).__name__})") from None
        try:
            return answer(response, self._url, absent)
        except Unavailable as error:
            if response.status_code == 429:
                self._pace.hold(error.retry_after)
            raise

    def _memory(self, raw: Any) -> Mem0Memory:
        try:
            return from_platform(raw)
        except (ValueError, AttributeError):
            raise Unavailable(f"Mem0 at {self._url} answers with something that is no memory") from None


def _results(said: Any) -> list[dict[str, Any]]:
    """The items of a listing, which is an object with `results` or a bare list."""
    items = said.get("results", []) if isinstance(said, dict) else said
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _count(said: Any) -> int | None:
    count = said.get("count") if isinstance(said, dict) else None
    return count if isinstance(count, int) else None


def _event(raw: dict[str, Any]) -> Event | None:
    if not isinstance(raw.get("id"), str) or not isinstance(raw.get("memory_id"), str):
        return None
    created_at = raw.get("created_at")
    return Event(
        raw["id"], raw["memory_id"], str(raw.get("event")), created_at if isinstance(created_at, str) else None, raw
    )
