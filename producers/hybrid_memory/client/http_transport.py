"""What both HTTP clients do around a request, apart from waiting: connections, and whether to try again."""

import re
from typing import TYPE_CHECKING, Any

from hybrid_memory.client.errors import ClientRefused
from hybrid_memory.client.http_errors import RequestRefused, ServiceAway, error_of
from hybrid_memory.client.http_requests import RETRIED_STATUSES, Request, auth_headers, pause_before, seconds

if TYPE_CHECKING:
    import httpx

URL = "http://127.0.0.1:8765"


def import_httpx() -> Any:
    """httpx, which the light client does without.

    Raises:
        ClientRefused: it is not installed.
    """
    try:
        import httpx
    except ImportError:
        raise ClientRefused('the HTTP clients need httpx; install it with: pip install "httpx>=0.28"') from None
    return httpx


def options(url: str, api_key: str | None, token: str | None) -> dict[str, Any]:
    """Arguments of httpx' clients.

    Raises:
        ClientRefused: the URL, the key or the token cannot be one, or both a key and a token are given.
    """
    try:
        return {"base_url": _base_url(str(url).strip()), "headers": auth_headers(api_key, token)}
    except ValueError as error:
        raise ClientRefused(str(error)) from None


def _base_url(url: str) -> "httpx.URL":
    import httpx

    if not re.match("https?://", url, re.IGNORECASE):
        raise ValueError(f"the URL must begin with http:// or https://, as in {URL}")
    try:
        base = httpx.URL(url)
        named = bool(base.host)
    except (httpx.InvalidURL, UnicodeError):
        named = False
    if not named:
        raise ValueError(f"the URL names no host that can be called; write one as in {URL}")
    return base


def arguments(request: Request, timeout: float) -> dict[str, Any]:
    """Arguments of httpx' `request`."""
    body = {} if request.body is None else {"json": request.body}
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "headers": dict(request.headers),
        "timeout": timeout + request.patience,
        **body,
    }


class Attempts:
    """One request, tried at most `retries` times more. Each outcome is either final, or a pause before the next."""

    def __init__(self, request: Request, retries: int, url: "httpx.URL") -> None:
        self._request, self._left, self._made = request, retries, 0
        self._shown = str(url.copy_with(userinfo=b"", query=None)).rstrip("/")

    def pause_after(self, reply: "httpx.Response") -> float | None:
        """None where the reply is the answer, else the seconds to wait.

        Raises:
            ServiceError: it is an error that another attempt does not mend.
        """
        if reply.is_success:
            return None
        retry_after = seconds(reply.headers.get("retry-after"))
        # An edit that was answered 503 may have been written; one that was turned away by 429 was not.
        again = reply.status_code == 429 or (self._request.again and reply.status_code in RETRIED_STATUSES)
        return self._pause(again, retry_after, error_of(reply.status_code, _body(reply), retry_after, self._shown))

    def answer(self, reply: "httpx.Response") -> Any:
        """What a reply says that is the answer.

        Raises:
            RequestRefused: it is no JSON.
        """
        try:
            return reply.json()
        except ValueError:
            kind = reply.headers.get("content-type", "nothing")
            said = f"{self._shown} answered with {kind} instead of JSON; is it the URL of the memory service?"
            raise RequestRefused(reply.status_code, said) from None

    def pause_after_failure(self, error: Exception) -> float:
        """The seconds to wait where there was no reply.

        Raises:
            ServiceAway: it was the last attempt, or the request must not be sent again unasked.
        """
        away = ServiceAway(0, f"the service does not answer ({type(error).__name__})", url=self._shown)
        return self._pause(self._request.again, None, away)

    def _pause(self, again: bool, retry_after: float | None, error: Exception) -> float:
        if not again or self._made >= self._left:
            raise error
        self._made += 1
        return pause_before(self._made, retry_after)


def _body(reply: "httpx.Response") -> Any:
    try:
        return reply.json()
    except ValueError:
        return None
