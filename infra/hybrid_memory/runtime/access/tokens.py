"""User tokens (JWT): their subject is the only user whose memories they reach."""

from collections.abc import Mapping
from typing import Any

import jwt
from pydantic import TypeAdapter, ValidationError

from hybrid_memory.runtime.access.caller import READ_WRITE, Caller, Scope
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.jwks import Jwks, SharedSecret, SigningKeys
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import JwtSettings
from hybrid_memory.schemas.events import UserId

_MAX_CHARACTERS = 8192
_USER_ID: TypeAdapter[str] = TypeAdapter(UserId)
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""What PyJWT raises, and what its reading of odd numbers and deep nesting does."""


class Tokens:
    """Checks tokens: signature by the one algorithm of its keys, expiry, issuer and audience where they are set."""

    def __init__(self, keys: SigningKeys, issuer: str | None, audience: str | None, leeway: float) -> None:
        self._keys, self._issuer, self._audience, self._leeway = keys, issuer, audience, leeway
        named = (("iss", issuer), ("aud", audience))
        self._required = ["exp", "sub", *(claim for claim, value in named if value is not None)]

    async def caller(self, token: str) -> Caller:
        """Whose token it is.

        Raises:
            NotAccepted: it is not one that we take.
            Unavailable: the keys cannot be had now.
        """
        if len(token) > _MAX_CHARACTERS:
            raise _refused("too long")
        try:
            header = jwt.get_unverified_header(token)
        except _BROKEN as error:
            raise _refused(type(error).__name__) from None
        if header.get("alg") != self._keys.algorithm:  # seen again below: here it spares the issuer a question
            raise _refused("another algorithm")
        return _caller_of(self._claims(token, await self._keys.find(header.get("kid"))))

    def _claims(self, token: str, key: Any) -> Mapping[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[self._keys.algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": self._required},
            )
        except jwt.ExpiredSignatureError:
            raise NotAccepted("the token has expired", "expired") from None
        except jwt.MissingRequiredClaimError as error:
            raise _refused(f"no claim {error.claim}") from None
        except _BROKEN as error:
            raise _refused(type(error).__name__) from None


def make_tokens(settings: JwtSettings) -> Tokens | None:
    """What checks user tokens; None where none are set up.

    Raises:
        Refusal: they are set up wrongly, or half.
    """
    keys = _signing_keys(settings)
    if keys is None:
        return None
    return Tokens(keys, settings.issuer, settings.audience, settings.leeway_seconds)


def _signing_keys(settings: JwtSettings) -> SigningKeys | None:
    if settings.secret is not None and settings.jwks_url is not None:
        raise Refusal("set HM_HTTP__JWT__SECRET or HM_HTTP__JWT__JWKS_URL, not both: which one counts must be clear")
    if settings.secret is not None:
        return SharedSecret(settings.secret.get_secret_value())
    if settings.jwks_url is None:
        if settings.issuer is not None or settings.audience is not None:
            raise Refusal("HM_HTTP__JWT__ISSUER and __AUDIENCE need HM_HTTP__JWT__SECRET or HM_HTTP__JWT__JWKS_URL")
        return None
    if settings.issuer is None or settings.audience is None:
        raise Refusal(
            "HM_HTTP__JWT__JWKS_URL needs HM_HTTP__JWT__ISSUER and HM_HTTP__JWT__AUDIENCE: without them a token that "
            "the same issuer made for another service would open this one"
        )
    return Jwks(settings.jwks_url)


def _caller_of(claims: Mapping[str, Any]) -> Caller:
    try:
        user = _USER_ID.validate_python(claims["sub"], strict=True)
    except ValidationError:
        raise _refused("the subject is no user id") from None
    return Caller(f"user:{user}", _scopes(claims), frozenset({user}))


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """Those of `scope`; reading and writing where there is none. Never more: administration is not a user's."""
    given = claims.get("scope", " ".join(READ_WRITE))
    if not isinstance(given, str):
        raise _refused("the scope is no text")
    return READ_WRITE.intersection(given.split())


def _refused(reason: str) -> NotAccepted:
    return NotAccepted("the token is not one that this service takes", reason)
