"""An index that a running service holds, asked over HTTP."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from hybrid_memory.client.http_errors import NotAllowed, ServiceAway, ServiceError
from hybrid_memory.client.http_requests import Request
from hybrid_memory.client.http_transport import Attempts, arguments, import_httpx, options
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.verify.bodies import IndexReply, PointsReply
from hybrid_memory.verify.states import Shown
from hybrid_memory.verify.views import About, View

_TIMEOUT = 30.0
_RETRIES = 3


class ServiceView(View):
    """The index of the service at `url`, which feeds it or sees it fed."""

    moves = True

    def __init__(self, url: str, api_key: str | None) -> None:
        self._url = url
        self._httpx = import_httpx()
        self._client = self._httpx.Client(**options(url, api_key, None))

    def about(self) -> About:
        return IndexReply.model_validate(self._ask(Request("GET", "/v1/index")))

    def points(self) -> Iterator[list[Shown]]:
        cursor: str | None = None
        while True:
            params = {} if cursor is None else {"cursor": cursor}
            page = PointsReply.model_validate(self._ask(Request("GET", "/v1/index/points", params)))
            yield page.points
            cursor = page.next_cursor
            if cursor is None:
                return

    def find(self, keys: Iterable[str]) -> list[Shown]:
        reply = self._ask(Request("POST", "/v1/index/points", body={"keys": list(keys)}))
        return PointsReply.model_validate(reply).points

    def close(self) -> None:
        self._client.close()

    def _ask(self, request: Request) -> Any:
        attempts = Attempts(request, _RETRIES, self._client.base_url)
        try:
            while True:
                try:
                    reply = self._client.request(**arguments(request, _TIMEOUT))
                except self._httpx.TransportError as error:
                    pause: float | None = attempts.pause_after_failure(error)
                else:
                    pause = attempts.pause_after(reply)
                    if pause is None:
                        return attempts.answer(reply)
                time.sleep(pause or 0.0)
        except NotAllowed as error:
            raise Refusal(
                f"the service at {self._url} does not let us look at its index ({error.detail}); "
                "set HM_API_KEY to a key with the scope admin (hm keys create)"
            ) from None
        except ServiceAway as error:
            raise Unavailable(
                f"the service at {self._url}, which is asked for the index: {error.detail}; "
                "where it listens elsewhere, name it with --url"
            ) from None
        except ServiceError as error:
            raise Refusal(f"the service at {self._url} does not tell of its index: {error.detail}") from None
