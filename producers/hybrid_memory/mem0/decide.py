"""What must be said in `memories` so that it says what Mem0 says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hybrid_memory.mem0.mapping import Rule, fingerprint, is_gone, to_memory
from hybrid_memory.mem0.states import Mem0Memory
from hybrid_memory.schemas import Memory, MemoryDeleted, MemoryEvent, normalise_text


@dataclass(frozen=True, slots=True)
class Pinned:
    """Classifiers that somebody pinned to a text."""

    text: str
    classifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What `memories` says last of one key: `print` is its fingerprint, None where it is deleted."""

    user_id: str
    seq: int
    print: bytes | None
    pinned: Pinned | None = None


def owed(mem0_id: str, state: Mem0Memory | None, held: Sequence[Held], rule: Rule, now: datetime) -> list[MemoryEvent]:
    """The events that make `memories` say what Mem0 says of one memory: none where it does so already.

    `held` is what it says of all keys with this memory's id: whose a memory is may have changed with the rule. A
    memory that is gone is deleted wherever it is held; one that was never held needs no deletion.

    Raises:
        Unmappable: it cannot be a memory here.
    """
    wanted = None if state is None or is_gone(state, rule, now) else to_memory(state, rule)
    live = [one for one in held if one.print is not None]
    events: list[MemoryEvent] = [
        MemoryDeleted(user_id=one.user_id, memory_id=mem0_id)
        for one in live
        if wanted is None or one.user_id != wanted.user_id
    ]
    if wanted is not None:
        there = next((one for one in live if one.user_id == wanted.user_id), None)
        if there is None or there.print != fingerprint(wanted, rule):
            events.append(_with_pins(wanted, there))
    return events


def _with_pins(wanted: Memory, there: Held | None) -> Memory:
    """Pinned classifiers stay with the text that they were pinned to, unless Mem0 brings some of its own."""
    pinned = there.pinned if there is not None else None
    if pinned is None or wanted.classifiers is not None or normalise_text(pinned.text) != normalise_text(wanted.text):
        return wanted
    return wanted.model_copy(update={"classifiers": pinned.classifiers, "pinned": True})
