"""What an answer of Mem0's platform means."""

import json
from typing import Any

import httpx

from hybrid_memory.runtime.errors import Refusal, Unavailable

_LATER = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_PAUSE = 600.0
_LONGEST_DETAIL = 200


class Rejected(Refusal):
    """Mem0 will not have this one request."""


def answer(response: httpx.Response, url: str, absent: bool) -> Any:
    """The JSON of an answer. With `absent`, None for a 404 that is Mem0's own.

    Raises:
        Unavailable, Rejected, Refusal: as in `platform_api`.
    """
    status = response.status_code
    if status in (401, 403):
        raise Refusal(f"Mem0 at {url} does not accept the API key ({status}); check HM_MEM0__API_KEY")
    if status in _LATER or status >= 500:
        raise Unavailable(f"Mem0 at {url} cannot answer now ({status})", _pause(response))
    said, is_json = _json(response)
    if not is_json:
        # Such as the page of a proxy: nothing may be taken for deleted because of it.
        raise Unavailable(f"Mem0 at {url} answers with something that is not JSON ({status})", _pause(response))
    if status == 404 and absent:
        return None
    if status == 404:
        raise Refusal(f"Mem0 at {url} does not know {response.request.url.path}; check HM_MEM0__URL and the project")
    if not response.is_success:
        raise Rejected(f"Mem0 at {url} rejects the request ({status}): {_detail(said)}")
    return {} if said is None else said


def _json(response: httpx.Response) -> tuple[Any, bool]:
    if not response.content and response.is_success:
        return {}, True
    try:
        return json.loads(response.content), True
    except (ValueError, RecursionError):
        return None, False


def _pause(response: httpx.Response) -> float:
    """What `Retry-After` says in seconds; a moment where it says nothing, or a date."""
    try:
        return min(max(float(response.headers.get("Retry-After", "1")), 0.05), _LONGEST_PAUSE)
    except ValueError:
        return 1.0


def _detail(said: Any) -> str:
    detail = next((said[key] for key in ("detail", "error", "message") if key in said), said) if isinstance(
        said, dict
    ) else said  # fmt: skip
    return str(detail)[:_LONGEST_DETAIL]
