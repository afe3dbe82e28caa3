"""A caller, and the one question that everything here serves: may it?"""

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do. None includes another."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


READ_WRITE = frozenset({Scope.READ, Scope.WRITE})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `users` are the only ones whose memories it reaches; None: all.

    `name` says who it is in logs, and whose request rate is counted; it is no secret.
    """

    name: str
    scopes: frozenset[Scope] = field(default=frozenset())
    users: frozenset[str] | None = field(default=frozenset())


def may(caller: Caller, scope: Scope, user_id: str | None = None) -> bool:
    """Whether the caller may do this, to this user's memories where it is about one user's."""
    return scope in caller.scopes and (user_id is None or reaches(caller, user_id))


def reaches(caller: Caller, user_id: str) -> bool:
    """Whether this user is one of the caller's; ids are compared letter by letter."""
    return caller.users is None or user_id in caller.users


ANYBODY = Caller("anybody", frozenset(Scope), None)
"""Everyone, where nothing is guarded."""
