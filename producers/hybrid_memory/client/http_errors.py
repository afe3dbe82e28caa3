"""Errors of the HTTP clients; the tree is drawn in `errors`."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybrid_memory.client.errors import FieldError, MemoryClientError


class ServiceError(MemoryClientError):
    """The service did not do what was asked. `status` is HTTP's, 0 where there was no reply; `errors` name fields."""

    def __init__(self, status: int, detail: str, errors: Sequence[FieldError] = ()) -> None:
        said = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
        super().__init__(f"{detail} ({said})" if said else detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)


class RequestRefused(ServiceError):  # noqa: N818
    """The service will never take this request as it is."""


class NotAllowed(ServiceError):  # noqa: N818
    """The key or token is not known, or does not reach this user, or may not do this."""


class NoSuchMemory(ServiceError):  # noqa: N818
    """The user has no such memory."""


class EditLost(ServiceError):  # noqa: N818
    """The memory is not at the version that was to be edited, or another edit was first: read it again."""


class ServiceAway(ServiceError):  # noqa: N818
    """The service does not answer, or cannot now. Sending the same again is safe; `retry_after` seconds are advised.

    `url` is the service's, without what could be secret.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        url: str = "",
    ) -> None:
        super().__init__(status, detail, errors)
        self.retry_after = retry_after
        self.url = url

    def __str__(self) -> str:
        return f"{self.url}: {super().__str__()}" if self.url else super().__str__()


_KINDS: Mapping[int, type[ServiceError]] = {401: NotAllowed, 403: NotAllowed, 404: NoSuchMemory, 412: EditLost}


def error_of(status: int, body: Any, retry_after: float | None, url: str) -> ServiceError:
    """The error that a reply of the service at `url` says."""
    body = body if isinstance(body, Mapping) else {}
    detail = str(body.get("detail") or f"the service answered {status}")
    errors = [FieldError(str(one.get("field", "")), str(one.get("message", ""))) for one in body.get("errors") or ()]
    if status == 429 or status >= 500:
        return ServiceAway(status, detail, errors, retry_after, url)
    return _KINDS.get(status, RequestRefused)(status, detail, errors)
