"""API keys: what one looks like, what is kept of it, and whose it is.

A key is `hm_<id>_<secret>`. The id finds the entry; the secret is 256 random bits. Only a SHA-256 of the key is kept:
slow hashes protect what people make up, and nobody can try 2^256 secrets however fast the hash is. A slow one would
cost every request, and let anybody keep us busy.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictStr, StringConstraints, model_validator

from hybrid_memory.runtime.access.caller import READ_WRITE, Caller, Scope
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.schemas.events import UserId

PREFIX = "hm_"
_FORM = re.compile(r"hm_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NO_HASH = f"sha256:{'0' * 64}"
_SAID = "the API key is not known here, or has been revoked, or has expired"

KeyId = Annotated[StrictStr, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
Users = Literal["all"] | Annotated[frozenset[Annotated[UserId, Field(strict=True)]], Field(min_length=1)]


class KeyEntry(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: KeyId
    name: Annotated[StrictStr, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    hash: Annotated[StrictStr, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] = Field(repr=False)
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = READ_WRITE
    users: Users
    created: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None

    @model_validator(mode="after")
    def _admin_is_for_all(self) -> "KeyEntry":
        if Scope.ADMIN in self.scopes and self.users != "all":
            raise ValueError("a key with the scope admin is about the whole service: its users must be all")
        return self

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        """Whether it opens anything at this moment."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def caller(self) -> Caller:
        """Who comes with it."""
        return Caller(f"key:{self.id}", self.scopes, None if self.users == "all" else frozenset(self.users))


class NewKey(NamedTuple):
    """A key, which is shown once, and what is kept of it."""

    key: str
    entry: KeyEntry


def make_key(
    name: str, scopes: Iterable[Scope], users: Users, *, expires: datetime | None = None, now: datetime | None = None
) -> NewKey:
    """A new key.

    Raises:
        ValidationError: these cannot be together.
    """
    key_id = secrets.token_hex(6)
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    entry = KeyEntry(
        id=key_id,
        name=name,
        hash=hash_of(key),
        scopes=frozenset(scopes),
        users=users,
        created=(now or datetime.now(UTC)).replace(microsecond=0),
        expires=expires,
    )
    return NewKey(key, entry)


def hash_of(key: str) -> str:
    """What is kept of a key."""
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


class KeyRing:
    """Entries by their id. Of two entries with an id, the later counts, unless one is revoked."""

    def __init__(self, entries: Iterable[KeyEntry] = ()) -> None:
        self._entries: dict[str, KeyEntry] = {}
        for entry in entries:
            known = self._entries.get(entry.id)
            if known is None or known.revoked is None:
                self._entries[entry.id] = entry

    def __len__(self) -> int:
        return len(self._entries)

    def caller(self, key: str, now: datetime) -> Caller:
        """Whose key it is.

        Raises:
            NotAccepted: nobody's, or one that opens nothing any more.
        """
        match = _FORM.fullmatch(key)
        entry = self._entries.get(match[1]) if match else None
        # Also where there is no entry: an answer that comes sooner would tell which ids there are.
        same = hmac.compare_digest(hash_of(key), entry.hash if entry else _NO_HASH)
        if entry is None or not same:
            raise NotAccepted(_SAID, "no such key")
        state = entry.state(now)
        if state != "active":
            raise NotAccepted(_SAID, f"key {entry.id} is {state}")
        return entry.caller()
