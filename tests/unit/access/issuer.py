"""An issuer of tokens: RSA keys, their JWKS document, and tokens of any claims."""

import base64
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "memories"
SECRET = "a secret that nobody guesses, of more than 32 bytes"


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims, with these changes; None leaves a claim out."""
    good = {"sub": "ada", "exp": time.time() + 300, "iss": ISSUER, "aud": AUDIENCE}
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token of these claims; `headers` besides the usual ones."""
    return jwt.encode(claims(**changes), key, algorithm, headers)


def handmade(header: dict[str, Any], payload: dict[str, Any], secret: str = SECRET) -> str:
    """A token signed by HMAC, whatever it says: what a careful library would not make."""
    signing = f"{part(header)}.{part(payload)}"
    return f"{signing}.{_base64(hmac.digest(secret.encode(), signing.encode(), 'sha256'))}"


def part(value: object) -> str:
    """A part of a token."""
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Issuer:
    """Signs by RS256, and publishes the public halves of its keys."""

    def __init__(self, *kids: str, bits: int = 2048) -> None:
        self.keys = {kid: rsa.generate_private_key(65537, bits) for kid in kids}
        self.asked = 0

    def token(self, kid: str | None, key: Any = None, **changes: Any) -> str:
        return signed(key or self.keys[kid or ""], "RS256", {} if kid is None else {"kid": kid}, **changes)

    def entry(self, kid: str, **changes: Any) -> dict[str, Any]:
        return {**RSAAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True), "kid": kid, "use": "sig", **changes}

    def document(self) -> bytes:
        return json.dumps({"keys": [self.entry(kid) for kid in self.keys]}).encode()

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        return self.document()
