"""A small HTTP client: one kept connection, JSON both ways. Costs the two cores less than a full one would."""

import http.client
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from hybrid_memory.runtime.errors import Refusal

_TIMEOUT = 60.0


class Api:
    """The API at a URL. Not for several threads at once; close it, or use it in a `with`.

    Raises (any call):
        Refusal: the answer is not the expected one, or none came; the benchmark cannot go on.
    """

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        self._connection = http.client.HTTPConnection(place.hostname, place.port, timeout=_TIMEOUT)

    def post(self, path: str, body: Any) -> Any:
        """What the service answers to a JSON body."""
        status, reply = self._call("POST", path, json.dumps(body).encode())
        if status != 200:
            raise Refusal(f"the service answered {status} to POST {path}: {reply.get('detail', reply)}")
        return reply

    def exists(self, path: str) -> bool:
        """Whether there is something at a path."""
        status, reply = self._call("GET", path, None)
        if status not in (200, 404):
            raise Refusal(f"the service answered {status} to GET {path}: {reply.get('detail', reply)}")
        return status == 200

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        try:
            try:
                return self._once(method, path, body)
            except ConnectionError:  # closed by the service, which keeps an idle connection for seconds only
                self._connection.close()
                return self._once(method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Refusal(f"the service did not answer {method} {path}: {error or type(error).__name__}") from None

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        self._connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())
