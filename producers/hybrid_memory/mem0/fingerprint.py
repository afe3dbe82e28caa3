"""What of a memory counts when Mem0's is compared with ours, in few bytes. Pure."""

import json
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from hybrid_memory.schemas import Memory

FIELDS = ("text", "topic", "type", "classifiers", "metadata", "created_at", "expires_at")
_SIZE = 8
_NOTHING = bytes(_SIZE)
_OWN_MATTER = FIELDS.index("classifiers")
"""Where Mem0 gives none, ours are our own matter."""


def fingerprint(memory: Memory) -> bytes:
    """Eight bytes for each field; a field without a value has zeros."""
    return b"".join(_digest(getattr(memory, name)) for name in FIELDS)


def differing(ours: bytes, theirs: bytes) -> tuple[str, ...]:
    """The fields in which two fingerprints differ."""
    return tuple(
        name
        for number, name in enumerate(FIELDS)
        if (said := _part(theirs, number)) != _part(ours, number)
        and not (number == _OWN_MATTER and said == _NOTHING)
    )


def _part(fingerprint: bytes, number: int) -> bytes:
    return fingerprint[number * _SIZE : (number + 1) * _SIZE]


def _digest(value: Any) -> bytes:
    if value is None:
        return _NOTHING
    said = json.dumps(value, default=_plain, sort_keys=True, ensure_ascii=False)
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=_SIZE).digest()


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else list(value)
