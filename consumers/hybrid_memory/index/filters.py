"""Which of a user's memories a search or a list may show. Pure.

Metadata stands in a point as one JSON text, so what can be filtered on is laid out beside it: each of its top-level
fields that is a text, a number, true, false or null is a term, the JSON of its name and value. Terms are compared as
wholes; 1 and 1.0 are one number, as in JSON.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MAX_TERM = 300
"""Characters of a term. Longer fields are kept and shown, but cannot be filtered on."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a memory must be; all that is given must hold.

    Classifiers are compared letter by letter; `metadata` are terms, see `metadata_term`. `created_from` is the first
    millisecond that counts, `created_to` the first that does not.
    """

    any_classifiers: tuple[str, ...] = ()
    all_classifiers: tuple[str, ...] = ()
    topic: str | None = None
    type: str | None = None
    state: Literal["provisional", "final"] | None = None
    metadata: tuple[str, ...] = ()
    created_from: int | None = None
    created_to: int | None = None

    def equals(self) -> Iterable[tuple[str, str]]:
        """(payload field, value) of every condition that is an equality; a list holds the value somewhere."""
        named = (("topic", self.topic), ("type", self.type), ("state", self.state))
        yield from ((field, value) for field, value in named if value is not None)
        yield from (("classifiers", label) for label in self.all_classifiers)
        yield from (("metadata", term) for term in self.metadata)


NO_FILTER = Filter()


def metadata_term(name: str, value: Scalar) -> str | None:
    """The term of a field of metadata, or None where it is too long to be one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    term = json.dumps([name, value], separators=(",", ":"), ensure_ascii=False)
    return term if len(term) <= MAX_TERM else None


def metadata_terms(metadata: Mapping[str, Any]) -> list[str]:
    """The terms of a memory's metadata."""
    scalars = ((name, value) for name, value in metadata.items() if not isinstance(value, dict | list))
    return [term for name, value in scalars if (term := metadata_term(name, value)) is not None]
