"""The errors of a Qdrant server in our words. Neither keys nor the texts of memories get into a message."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from hybrid_memory.index.store import Rejected
from hybrid_memory.runtime.errors import Refusal, Unavailable

_Code = grpc.StatusCode
_LOCKED_OUT = {_Code.UNAUTHENTICATED, _Code.PERMISSION_DENIED}
_WRONG = {_Code.INVALID_ARGUMENT, _Code.FAILED_PRECONDITION, _Code.OUT_OF_RANGE, _Code.UNIMPLEMENTED}
# REST as gRPC; other 4xx are INVALID_ARGUMENT, all else passes.
_OF_STATUS = {
    401: _Code.UNAUTHENTICATED,
    403: _Code.PERMISSION_DENIED,
    404: _Code.NOT_FOUND,
    408: _Code.DEADLINE_EXCEEDED,
    409: _Code.ALREADY_EXISTS,
    429: _Code.RESOURCE_EXHAUSTED,
}


class AlreadyThere(Exception):  # noqa: N818
    """Somebody else made it first."""


class Wrong(Exception):  # noqa: N818
    """The server will never take this request."""


def address_of(url: str) -> str:
    """A server's URL as it may be shown: without what could be secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


@contextmanager
def translated(address: str) -> Iterator[None]:
    """What goes wrong within, in our words.

    Raises:
        Unavailable: the server is away, slow or wants less of us.
        Refusal: it does not let us in, or the collection is gone.
        Wrong: it will never take this request; the message holds its reason.
        AlreadyThere: what was to be made exists.
    """
    try:
        yield
    except ResourceExhaustedResponse as error:
        raise Unavailable(f"the Qdrant server at {address} wants fewer requests", error.retry_after_s) from None
    except grpc.RpcError as error:
        raise _of_code(error.code(), error.details() or "", address) from None
    except UnexpectedResponse as error:
        raise _of_status(error, address) from None
    except (ApiException, OSError):
        raise Unavailable(f"the Qdrant server at {address} does not answer") from None


def rejected(error: Exception) -> Rejected:
    """That the store does not take some points, and why."""
    return Rejected(f"the index does not take it: {_first_line(str(error))}")


def _of_status(error: UnexpectedResponse, address: str) -> Exception:
    status = error.status_code or 500
    code = _OF_STATUS.get(status, _Code.INVALID_ARGUMENT if 400 <= status < 500 else _Code.UNAVAILABLE)
    found = _of_code(code, error.content.decode(errors="replace"), address)
    if isinstance(found, Unavailable) and error.headers:
        wait = error.headers.get("retry-after", "")
        found.retry_after = float(wait) if wait.isdigit() else found.retry_after
    return found


def _of_code(code: grpc.StatusCode, details: str, address: str) -> Exception:
    if code in _LOCKED_OUT:
        return Refusal(f"the Qdrant server at {address} does not let us in; set HM_QDRANT__API_KEY to a key that may")
    if code is _Code.ALREADY_EXISTS or "already exists" in details:
        return AlreadyThere(_first_line(details))
    if code is _Code.NOT_FOUND:
        return Refusal(f"the collection on the Qdrant server at {address} is gone; start again, and it is built anew")
    if code in _WRONG:
        return Wrong(_first_line(details))
    if code is _Code.RESOURCE_EXHAUSTED:
        return Unavailable(f"the Qdrant server at {address} wants fewer requests", retry_after=5)
    return Unavailable(f"the Qdrant server at {address} does not answer ({code.name.lower()})")


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:200]
