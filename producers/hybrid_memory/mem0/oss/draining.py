"""The thread that brings an outbox to Kafka: in order, as soon as it can, and as long as it takes."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from hybrid_memory.client.delivery import Outcome
from hybrid_memory.client.errors import ClientClosed, NotDelivered
from hybrid_memory.mem0.mapping import Rule
from hybrid_memory.mem0.oss.events import confirmed, deleted_event, present_event
from hybrid_memory.mem0.oss.held import Held
from hybrid_memory.mem0.oss.outbox import Outbox, Row
from hybrid_memory.mem0.oss.recording import LOG, Recorder
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.schemas import MemoryEvent
from hybrid_memory.schemas.mem0 import SOURCE

_BATCH = 500
_PAGE = 200
_DOUBTS = 50
_SETTLE_SECONDS = 0.005
"""So that the call which woke us has returned: there is one interpreter lock for both."""
_APART_SECONDS = 0.1
"""Between two batches: what comes together goes together, which costs the application least."""
_IDLE_SECONDS = 0.5
_CHORES_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0


class Publishing(Protocol):
    """A `MemoryClient`, as far as is needed here."""

    def publish(self, events: Iterable[MemoryEvent], *, source: str) -> list[Outcome]: ...


class Drainer:
    """Of several processes that share an outbox one publishes; each clears up its own doubts."""

    def __init__(
        self, outbox: Outbox, recorder: Recorder, client: Publishing, rule: Rule, every: Callable[[], Iterator[str]]
    ) -> None:
        """`every` names every memory that the store holds."""
        self._outbox, self._recorder, self._client, self._rule, self._every = outbox, recorder, client, rule, every
        self._right: Held | None = None
        self._again: tuple[int, Iterator[str]] | None = None
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._pause, self._next_chores = 0.0, 0.0
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="mem0-tap", daemon=True)
        self.wake = self._awake.set

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End, at most so many seconds from now; what was not published stays in the outbox."""
        self._stopping.set()
        self._awake.set()
        self._thread.join(seconds)
        if self._right is not None:
            self._right.release()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                busy = self._turn()
            except ClientClosed:
                LOG.warning("the client of the tap is closed: changes of Mem0 wait in the outbox from now on")
                return
            except Exception as error:  # Kafka's, the store's, the disk's: the thread outlives them all
                self._held_up(str(error) or type(error).__name__)
            else:
                self._goes_on()
                self._rest(began, busy)

    def _rest(self, began: float, busy: bool) -> None:
        """Leave the interpreter to the application: where there is much to do, for as long as we had it."""
        spent = time.monotonic() - began
        if busy:
            self._stopping.wait(max(spent, _SETTLE_SECONDS))
            return
        self._awake.wait(_IDLE_SECONDS)
        self._awake.clear()
        self._stopping.wait(max(began + _APART_SECONDS - time.monotonic(), _SETTLE_SECONDS))

    def _turn(self) -> bool:
        """Do some of what is to be done; whether there is more."""
        cleared = self._recorder.clear_up(_DOUBTS)
        if self._right is None:
            self._right = self._outbox.draining()
        published = self._publish() if self._right is not None else 0
        self._chores()
        full = published == _BATCH or cleared == _DOUBTS
        return full or (not cleared and not published and self._right is not None and self._read_again())

    def _publish(self) -> int:
        """Send the first changes; how many that were.

        Raises:
            Unavailable: Kafka did not take them all.
        """
        rows, events = self._mapped(self._outbox.ready(_BATCH))
        if not rows:
            return 0
        outcomes = self._client.publish(events, source=SOURCE)
        self._outbox.done(confirmed(rows, outcomes))
        failed = next((outcome for outcome in outcomes if isinstance(outcome, NotDelivered)), None)
        if failed is not None:
            raise Unavailable(failed.reason)
        return len(rows)

    def _mapped(self, rows: Sequence[Row]) -> tuple[list[Row], list[MemoryEvent]]:
        """Those that can be published, with what that is; the others are put aside."""
        now, good, events, refused = datetime.now(UTC), [], [], []
        for row in rows:
            try:
                events.append(_event(row, self._rule, now))
                good.append(row)
            except ValueError as error:
                refused.append((row, str(error)))
                LOG.error("memory %s of Mem0 cannot be one here and is put aside: %s", row.change.memory_id, error)
        if refused:
            self._outbox.refuse(refused)
        return good, events

    def _read_again(self) -> bool:
        """Where changes were missed and there is room: doubt all that the store holds, a page at a time."""
        again, self._again = self._again, None  # an error begins anew
        if again is None:
            missed = self._outbox.missed()
            if not missed or not self._outbox.has_room():
                return False
            again = missed, self._every()
        page = tuple(islice(again[1], _PAGE))
        if page:
            self._outbox.suspect(page)
            self._again = again
        else:
            self._outbox.read_again(again[0])
        return True

    def _chores(self) -> None:
        if time.monotonic() >= self._next_chores:
            self._next_chores = time.monotonic() + _CHORES_SECONDS
            self._outbox.checkpoint()
            self._outbox.adopt()

    def _held_up(self, reason: str) -> None:
        if reason != self._said and not self._stopping.is_set():
            LOG.warning("changes of Mem0 wait in the outbox: %s", reason)
        self._said = reason
        self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._stopping.wait(self._pause)

    def _goes_on(self) -> None:
        if self._said:
            LOG.warning("changes of Mem0 are published again")
        self._pause, self._said = 0.0, ""


def _event(row: Row, rule: Rule, now: datetime) -> MemoryEvent:
    change, said = row.change, json.loads(row.change.record)
    if change.deleted:
        return deleted_event(change.memory_id, said, rule)
    return present_event(change.memory_id, said, rule, now)
