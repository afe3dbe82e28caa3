"""Puts a watched store in the place of a memory's own, now and whenever Mem0 makes it anew."""

from collections.abc import Callable
from typing import Any

from hybrid_memory.runtime.errors import Refusal

_STORE = "_hm_store"
_WANTED = ("insert", "update", "delete", "get", "list", "reset")

Watch = Callable[[Any], Any]
"""From a store, the watched one."""


def check(memory: Any) -> None:
    """Raises:
    Refusal: it is no `Memory` or `AsyncMemory` of mem0ai, or has a tap already.
    """
    store = getattr(memory, "vector_store", None)
    missing = [name for name in _WANTED if not callable(getattr(store, name, None))]
    if store is None or missing:
        raise Refusal(f"{type(memory).__name__} is no Memory and no AsyncMemory of mem0ai 2: there is nothing to tap")
    if is_attached(memory):
        raise Refusal("this memory has a tap already; close that one first")


def is_attached(memory: Any) -> bool:
    """Whether its store is watched."""
    return _STORE in vars(memory)


def attach(memory: Any, watch: Watch) -> None:
    """Watch the memory's store. `reset` of the asynchronous class makes a new one, and says so to nobody: so it is the
    attribute that is watched, by a class of the same name between the memory and its own."""
    original = type(memory)

    def get(self: Any) -> Any:
        return vars(self)[_STORE]

    def put(self: Any, store: Any) -> None:
        vars(self)[_STORE] = store if store is vars(self).get(_STORE) else watch(store)

    store = vars(memory).pop("vector_store")
    body = {"vector_store": property(get, put), "__module__": original.__module__, "__doc__": original.__doc__}
    memory.__class__ = type(original.__name__, (original,), body)
    memory.vector_store = store


def detach(memory: Any, store: Any) -> None:
    """As it was before, with this store of its own."""
    del vars(memory)[_STORE]
    memory.__class__ = type(memory).__bases__[0]
    memory.vector_store = store
