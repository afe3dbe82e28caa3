"""From Mem0's words to ours. Pure: the same memory in Mem0 is always the same memory here, byte for byte."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import ValidationError

from hybrid_memory.mem0.states import Mem0Memory, from_platform
from hybrid_memory.runtime.settings import Mem0Entity, Mem0Settings
from hybrid_memory.schemas import ErrorClass, Memory, describe
from hybrid_memory.schemas.events import MAX_CLASSIFIERS, MAX_METADATA_BYTES, MAX_TEXT
from hybrid_memory.schemas.mem0 import Mem0Read, Mem0Scope

SOURCE = "mem0"
"""`source` of every memory that comes from Mem0."""
ABOUT = "mem0"
"""The key of our metadata that says what Mem0 knows besides; Mem0's own metadata stands beside it."""
_PREFIXES: dict[Mem0Entity, str] = {"user_id": "user:", "agent_id": "agent:", "app_id": "app:", "run_id": "run:"}
_LONGEST_LABEL = 64
_FIELDS = ("text", "metadata", "created_at", "expires_at", "source", "classifiers")
"""What Mem0 has a say in."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unmappable(ValueError):  # noqa: N818
    """What Mem0 has cannot be a memory here; the message says why, `error_class` of which kind that is."""

    def __init__(self, message: str, error_class: ErrorClass = "schema") -> None:
        super().__init__(message)
        self.error_class: ErrorClass = error_class


@dataclass(frozen=True, slots=True)
class Rule:
    """How the settings want it. `origin` tells this Mem0 from others that write to the same log: its project's id, or
    a name for an open-source store."""

    origin: str
    user_from: Sequence[Mem0Entity] = ("user_id", "agent_id", "app_id", "run_id")
    categories: Literal["ignore", "hint", "provided"] = "hint"
    superseded: Literal["keep", "remove"] = "keep"

    @classmethod
    def of(cls, settings: Mem0Settings, origin: str) -> Self:
        """The rule of these settings."""
        return cls(origin, settings.user_from, settings.categories, settings.superseded)


def user_of(scope: Mem0Scope, rule: Rule) -> str:
    """Whose memory it is here. Different owners in Mem0 are different users here: a user's id stands as it is, unless
    it looks like one of the others, which have a prefix.

    Raises:
        Unmappable: it is nobody's.
    """
    for entity in rule.user_from:
        name = getattr(scope, entity)
        if name is not None:
            plain = entity == "user_id" and not name.startswith(tuple(_PREFIXES.values()))
            return str(name) if plain else _PREFIXES[entity] + name
    raise Unmappable(f"the memory has no {', no '.join(rule.user_from)} (HM_MEM0__USER_FROM)", "policy")


def is_gone(state: Mem0Memory, rule: Rule, now: datetime) -> bool:
    """Whether Mem0 has it, but would not show it: folded into another, expired, or out of date where that counts."""
    expires_at = _expiry(state.expiration_date)
    expired = expires_at is not None and expires_at <= now
    return state.lifecycle == "merged" or expired or (state.lifecycle == "superseded" and rule.superseded == "remove")


def to_memory(state: Mem0Memory, rule: Rule) -> Memory:
    """The memory as it should stand in `memories`.

    Raises:
        Unmappable: a field breaks our limits, or it is nobody's.
    """
    user_id = user_of(state.scope, rule)
    try:
        return Memory(
            user_id=user_id,
            memory_id=state.id,
            text=state.text,
            classifiers=_labels(state.categories) if rule.categories == "provided" else None,
            metadata={**state.metadata, ABOUT: _about(state, rule)},
            created_at=_moment(state.created_at),
            expires_at=_expiry(state.expiration_date),
            source=SOURCE,
        )
    except (ValidationError, RecursionError) as error:
        raise _unmappable(error) from None


def origin_of(memory: Memory) -> str | None:
    """Which Mem0 a memory of `memories` came from; None: it does not say."""
    about = memory.metadata.get(ABOUT)
    origin = about.get("origin") if isinstance(about, dict) else None
    return origin if isinstance(origin, str) else None


def classified(memory: Memory, read: Mem0Read | None) -> Memory:
    """The memory with the classifiers that came with a hint, where it has none and they were made of this very text."""
    if read is None or not read.classifiers or memory.classifiers is not None:
        return memory
    same = from_platform(read.memory).text.strip() == memory.text
    return memory.model_copy(update={"classifiers": read.classifiers}) if same else memory


def fingerprint(memory: Memory, rule: Rule) -> bytes:
    """What two memories share iff they say the same, as far as Mem0 has a say in it: 8 bytes for each field."""
    said: dict[str, Any] = {
        "text": memory.text,
        "metadata": memory.metadata,
        "created_at": memory.created_at.timestamp(),
        "expires_at": memory.expires_at and memory.expires_at.timestamp(),
        "source": memory.source,
        "classifiers": memory.classifiers if rule.categories == "provided" else None,
    }
    return b"".join(digest(said[name]) for name in _FIELDS)


def differing(ours: bytes, theirs: bytes) -> tuple[str, ...]:
    """The fields in which two memories differ that have these fingerprints."""
    return tuple(name for n, name in enumerate(_FIELDS) if ours[8 * n : 8 * n + 8] != theirs[8 * n : 8 * n + 8])


def digest(value: Any) -> bytes:
    """8 bytes that equal values share."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).digest()


def _about(state: Mem0Memory, rule: Rule) -> dict[str, Any]:
    about: dict[str, Any] = {"origin": rule.origin, **state.scope.model_dump(exclude_none=True)}
    if rule.categories == "hint" and state.categories:
        about["categories"] = list(state.categories)
    if state.lifecycle == "superseded":
        about["superseded"] = True
        about |= {"replaced_by": state.replaced_by} if state.replaced_by else {}
    if ABOUT in state.metadata:  # nothing of theirs is lost to a name that we both like
        about["metadata"] = {ABOUT: state.metadata[ABOUT]}
    return about


def _labels(categories: Sequence[str]) -> tuple[str, ...] | None:
    """Categories as classifiers, without what cannot be one; None where none is left."""
    found: dict[str, str] = {}
    for word in (word.strip() for word in categories):
        if 0 < len(word) <= _LONGEST_LABEL and word.isprintable():
            found.setdefault(word.casefold(), word)
    return tuple(found.values())[:MAX_CLASSIFIERS] or None


def _moment(text: str | None) -> datetime:
    """When Mem0 says it was made; where it does not, always the same moment, so that nothing seems to change."""
    try:
        said = datetime.fromisoformat(text or "")
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _EPOCH


def _expiry(text: str | None) -> datetime | None:
    """The end, in UTC, of the day that Mem0 names. A date that cannot be read never expires, as in Mem0."""
    try:
        day = date.fromisoformat((text or "")[:10])
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def _unmappable(error: ValidationError | RecursionError) -> Unmappable:
    if isinstance(error, RecursionError):
        return Unmappable("metadata nests too deep", "limit")
    too_big = {"string_too_long", "too_long"}
    kinds = {item["type"] for item in error.errors(include_input=False, include_url=False)}
    limits = f" (text: {MAX_TEXT} characters, metadata: {MAX_METADATA_BYTES} bytes)"
    if kinds <= too_big:
        return Unmappable(f"{describe(error)}{limits}", "limit")
    return Unmappable(describe(error))
