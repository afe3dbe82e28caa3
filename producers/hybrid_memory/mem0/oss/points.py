"""Reads the Qdrant collection in which Mem0 keeps its memories. It writes nothing there."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Mem0OssSettings

_PAGE = 256
_SECONDS = 30.0

Payloads = dict[str, Mapping[str, Any]]
"""What the collection says of memories, by their ids."""


class Points:
    """The collection, over Qdrant's REST interface.

    Raises (any call):
        Unavailable: Qdrant does not answer, or Mem0 is making the collection anew; ask again.
        Refusal: it does not let us in, or does not understand us.
    """

    def __init__(self, settings: Mem0OssSettings) -> None:
        """Opens no connection yet."""
        self._url, self._collection = settings.qdrant_url, settings.collection
        key = settings.qdrant_api_key
        headers = {"api-key": key.get_secret_value()} if key else {}
        self._http = httpx.Client(base_url=self._url, headers=headers, timeout=_SECONDS)
        self._path = f"/collections/{quote(self._collection, safe='')}"

    def check(self) -> None:
        """Raises:
        Refusal: Qdrant does not answer, or has no such collection.
        """
        try:
            reply = self._http.get(self._path)
        except httpx.TransportError as error:
            raise Refusal(
                f"Qdrant at {self._url} does not answer ({error}); set HM_MEM0__OSS__QDRANT_URL, or where Mem0 has its "
                f"store inside its own process (a path), use hybrid_memory.mem0.tap there"
            ) from None
        if reply.status_code == httpx.codes.NOT_FOUND:
            raise Refusal(
                f"Qdrant at {self._url} has no collection {self._collection}; set HM_MEM0__OSS__COLLECTION to Mem0's "
                f"collection_name"
            )
        self._result(reply)

    def read(self, memory_ids: Iterable[str]) -> Payloads:
        """What it holds of these; what is missing is not there."""
        wanted = [memory_id for memory_id in memory_ids if _is_uuid(memory_id)]
        found = self._ask("/points", {"ids": wanted, "with_payload": True, "with_vector": False}) if wanted else []
        return _payloads(found)

    def pages(self) -> Iterator[Payloads]:
        """All that it holds, a page at a time. What changes meanwhile may be missing, or come twice."""
        offset: Any = None
        while True:
            body = {"limit": _PAGE, "offset": offset, "with_payload": True, "with_vector": False}
            found = self._ask("/points/scroll", body)
            yield _payloads(found["points"])
            offset = found.get("next_page_offset")
            if offset is None:
                return

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, path: str, body: Mapping[str, Any]) -> Any:
        try:
            return self._result(self._http.post(self._path + path, json=body))
        except httpx.TransportError as error:
            raise Unavailable(f"Qdrant at {self._url} does not answer ({error})") from None

    def _result(self, reply: httpx.Response) -> Any:
        status = reply.status_code
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Refusal(f"Qdrant at {self._url} wants another key ({status}); set HM_MEM0__OSS__QDRANT_API_KEY")
        # Mem0's reset deletes the collection and makes it anew.
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in (httpx.codes.NOT_FOUND, 429):
            raise Unavailable(f"Qdrant at {self._url} does not serve the collection {self._collection} ({status})")
        try:
            return reply.raise_for_status().json()["result"]
        except (httpx.HTTPStatusError, ValueError, LookupError, TypeError):
            raise Refusal(f"what answers at {self._url} ({status}) is no Qdrant that is known here") from None


def _payloads(points: Iterable[Mapping[str, Any]]) -> Payloads:
    return {str(point["id"]): point.get("payload") or {} for point in points}


def _is_uuid(text: str) -> bool:
    """Mem0's ids are; Qdrant refuses a whole request because of one that is none."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
