"""From a credential to a caller."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid_memory.runtime.access.address import refuse_open_address
from hybrid_memory.runtime.access.caller import Caller
from hybrid_memory.runtime.access.errors import NotAccepted
from hybrid_memory.runtime.access.key_file import Entries, parse_entries
from hybrid_memory.runtime.access.keys import PREFIX
from hybrid_memory.runtime.access.watched_keys import WatchedKeys
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import JwtSettings, Settings

if TYPE_CHECKING:
    from hybrid_memory.runtime.access.tokens import Tokens


class Identifier:
    """Knows the keys and tokens of a service."""

    def __init__(
        self, keys: WatchedKeys, tokens: "Tokens | None" = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._keys, self._tokens, self._now = keys, tokens, now

    @property
    def guarded(self) -> bool:
        """Whether anybody is asked at all: there are keys, or tokens are set up. Never turns back to no."""
        return self._tokens is not None or self._keys.guarded

    async def is_guarded(self) -> bool:
        """The same as of now: the first key that is made closes a service that stood open."""
        await self._keys.ring()
        return self.guarded

    async def caller(self, credential: str) -> Caller:
        """Whose credential it is.

        Raises:
            NotAccepted: nobody's.
            Unavailable: it cannot be said now.
        """
        if credential.startswith(PREFIX):
            return (await self._keys.ring()).caller(credential, self._now())
        if self._tokens is None:
            raise NotAccepted("this is no API key, and user tokens are not set up here", "no tokens here")
        return await self._tokens.caller(credential)


def key_file(settings: Settings) -> Path:
    """Where the keys of this service are."""
    return settings.http.keys_file or settings.data_dir / "keys.yaml"


def given_keys(settings: Settings) -> Entries:
    """The keys that the settings themselves hold.

    Raises:
        Refusal: it is not a list of them.
    """
    given = settings.http.keys
    return parse_entries(given.get_secret_value()) if given is not None else ()


def make_identifier(settings: Settings, host: str) -> Identifier:
    """What the settings say about who may call a service that is to listen on `host`.

    Raises:
        Refusal: they cannot be followed, or the service would stand open to other machines.
    """
    identifier = _identifier(settings)
    refuse_open_address(host, guarded=identifier.guarded, insecure=settings.http.insecure)
    return identifier


def _identifier(settings: Settings) -> Identifier:
    path = key_file(settings)
    if settings.http.keys_file is not None and not path.exists():
        raise Refusal(
            f"setting HM_HTTP__KEYS_FILE: there is no {path}; make it with: "
            f"hm keys create NAME --all-users --file {path}"
        )
    return Identifier(WatchedKeys(path, given_keys(settings)), _tokens(settings.http.jwt))


def _tokens(settings: JwtSettings) -> "Tokens | None":
    if settings == JwtSettings():
        return None  # and nothing is loaded that checks signatures
    from hybrid_memory.runtime.access.tokens import make_tokens

    return make_tokens(settings)
