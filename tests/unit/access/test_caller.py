"""Who may do what: one question, against a slow obvious answer."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.runtime.access.caller import ANYBODY, Caller, Scope, may, reaches

users = st.sampled_from(["ada", "Ada", "bob", "ada/bob", "*", "all", "ada%2Fbob"]) | st.text(min_size=1, max_size=5)
scopes = st.frozensets(st.sampled_from(Scope))
callers = st.builds(Caller, st.just("key:1"), scopes, st.none() | st.frozensets(users, max_size=4))


@given(callers, st.sampled_from(Scope), users)
def test_scope_and_user_must_both_be_the_callers(caller: Caller, scope: Scope, user: str) -> None:
    of_the_user = caller.users is None or any(user == own for own in caller.users)
    assert may(caller, scope, user) == (of_the_user and any(scope == own for own in caller.scopes))


@given(callers, st.sampled_from(Scope), users)
def test_what_it_may_for_a_user_it_may_at_all(caller: Caller, scope: Scope, user: str) -> None:
    assert may(caller, scope) or not may(caller, scope, user)
    assert reaches(caller, user) or not may(caller, scope, user)


@given(st.sampled_from(Scope), users)
def test_a_caller_that_nothing_is_said_of_may_nothing(scope: Scope, user: str) -> None:
    assert not may(Caller("nobody"), scope)
    assert not may(Caller("nobody"), scope, user)
    assert may(ANYBODY, scope, user)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ANYBODY.users = frozenset()  # type: ignore[misc]
