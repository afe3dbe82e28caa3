"""Keeps every change of a store in an outbox, in the order in which the store sees it, and never in its way."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from hybrid_memory.mem0.oss.errors import OutboxFull
from hybrid_memory.mem0.oss.outbox import NOTHING, Change, Outbox, Row

LOG = logging.getLogger("hybrid_memory.mem0")
LOG.addHandler(logging.NullHandler())  # nothing on the terminal of an application that set up no logging

_STRIPES = 64

Payload = Mapping[str, Any]
Present = Callable[[str], Payload | None]
"""What the store says of a memory now; None: it has none of that id."""


class Recorder:
    """Thread-safe. Two changes of one memory never cross between store and outbox.

    `raise_when_full` raises `OutboxFull` into the call that would add or update, before the store is touched. Without
    it the call goes on, and the store is read again when there is room.
    """

    def __init__(self, outbox: Outbox, present: Present, wake: Callable[[], None], raise_when_full: bool) -> None:
        self._outbox, self._present, self._wake = outbox, present, wake
        self._raise_when_full = raise_when_full
        self._unwritten = False

    @contextmanager
    def changing(self, changes: Sequence[Change]) -> Iterator[None]:
        """Around what makes these changes in the store. Where that fails, they are in doubt.

        Raises:
            OutboxFull: as `raise_when_full` says; the store was not touched.
        """
        seqs = self._begun(changes)
        try:
            yield
        except BaseException:
            self._outbox.doubt(seqs or ())
            self._wake()
            raise
        self._settled(seqs)
        self._wake()

    def clear_up(self, limit: int) -> int:
        """Ask the store how some of the doubtful memories are; how many there were. Raises what the store raises."""
        self._write_down()
        rows = self._outbox.doubts(limit)
        for row in rows:
            with alone(row.change.memory_id):
                found = _found(row, self._present(row.change.memory_id))
                self._outbox.correct([row.seq], found)
        return len(rows)

    def _begun(self, changes: Sequence[Change]) -> list[int] | None:
        """Their numbers; None where they are missed."""
        try:
            return self._outbox.begin(changes)
        except OutboxFull as error:
            if self._raise_when_full:
                raise
            self._miss(error)
            return None

    def _settled(self, seqs: list[int] | None) -> None:
        try:
            if seqs is None:
                self._outbox.miss()  # again: a reading that began meanwhile may have passed them
            else:
                self._outbox.settle(seqs)
        except OutboxFull as error:
            self._outbox.doubt(seqs or ())
            self._miss(error)

    def _miss(self, error: OutboxFull) -> None:
        LOG.error("%s; what changes now is read from Mem0's store when there is room again", error)
        self._unwritten = True
        try:
            self._write_down()
        except OutboxFull:
            LOG.error("that cannot be written down either: if the process dies before it can, it has to be told")

    def _write_down(self) -> None:
        if self._unwritten:
            self._outbox.miss()
            self._unwritten = False


def upserted(memory_id: object, payload: Payload) -> Change:
    """A memory is now as `payload` says."""
    return Change(str(memory_id), False, _written_out(payload))


def removed(memory_id: object, before: Payload) -> Change:
    """A memory is gone, and was as `before` says."""
    return Change(str(memory_id), True, _written_out(before))


def _written_out(payload: Payload) -> str:
    try:
        return json.dumps(payload, default=str)
    except (TypeError, ValueError, RecursionError):  # the store may like it all the same; it is refused later
        return "{}"


def _found(row: Row, present: Payload | None) -> list[Change]:
    """What the doubt comes to. What is gone and was only suspected was deleted since, which is on record."""
    if present is not None:
        return [upserted(row.change.memory_id, present)]
    return [] if row.change.record == NOTHING else [Change(row.change.memory_id, True, row.change.record)]


_locks: list[threading.Lock] = []


def _new_locks() -> None:
    _locks[:] = [threading.Lock() for _ in range(_STRIPES)]


_new_locks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_locks)


@contextmanager
def alone(*memory_ids: object) -> Iterator[None]:
    """No other thread changes these memories meanwhile; without an id, any."""
    stripes = {hash(str(memory_id)) % _STRIPES for memory_id in memory_ids} or range(_STRIPES)
    with ExitStack() as held:
        for stripe in sorted(stripes):
            held.enter_context(_locks[stripe])
        yield
