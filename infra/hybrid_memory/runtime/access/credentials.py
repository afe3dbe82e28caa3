"""The credential of a request: at most one, in one of two headers."""

from collections.abc import Sequence

from hybrid_memory.runtime.access.errors import NotAccepted


def credential_in(authorization: Sequence[str], x_api_key: Sequence[str]) -> str | None:
    """The key or token that these headers hold; None where there is none.

    Raises:
        NotAccepted: there are several, or one is not readable.
    """
    if len(authorization) + len(x_api_key) > 1:
        raise NotAccepted("send one API key or token, in one header", "several credentials")
    if x_api_key:
        return x_api_key[0].strip()
    if not authorization:
        return None
    scheme, _, credential = authorization[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAccepted("send Authorization: Bearer KEY_OR_TOKEN", "another scheme")
    return credential.strip()
