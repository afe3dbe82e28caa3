"""Follows a Mem0 that nobody may change: its history says which memories changed, its collection how they are now."""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from hybrid_memory.mem0.bookmarks import find_bookmark
from hybrid_memory.mem0.decide import owed
from hybrid_memory.mem0.hints import send
from hybrid_memory.mem0.mapping import Rule
from hybrid_memory.mem0.oss.history import History, Place
from hybrid_memory.mem0.oss.known import Known
from hybrid_memory.mem0.oss.points import Points
from hybrid_memory.mem0.patience import until_done
from hybrid_memory.mem0.states import from_store
from hybrid_memory.mem0.view import View
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.reading import Log
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, NewRecord, encode_memory
from hybrid_memory.schemas.mem0 import MEM0_HINTS, SOURCE, Mem0Bookmark

_LOG = logging.getLogger(__name__)
READER = "tail"
_ROUNDS = 8
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Parts:
    """Kafka and a Mem0, both there. `project` is what this Mem0 is called in the log."""

    project: str
    rule: Rule
    history: History
    points: Points
    log: Log
    hints: TopicInfo
    view: View
    known: Known
    publisher: Publisher


@dataclass(slots=True)
class Done:
    """What was published."""

    published: int = 0
    deleted: int = 0


class Tail:
    """One look after another; each begins where the last that was finished ended, here or on another machine.

    A memory is read, published where the log says otherwise, and read once more until it stands still. Every record is
    appended under `hm-if-seq` of all that was read of the log: so a tail that was asleep overwrites nothing.
    """

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts, self._stop = parts, stop
        self._place: Place | None = None
        self.done = Done()

    def look(self) -> bool:
        """Publish what changed since the last look, and keep the place; whether there may be more.

        Raises:
            Stopped: we were told to stop; nothing is lost.
            Refusal: it will not get better by itself; nothing is lost.
        """
        place = self._place = self._place or self._kept()
        if place is None:
            _LOG.info("reading all of %s for the first time", self._parts.project)
            return self._compare()
        news = until_done(lambda: self._parts.history.since(place), self._stop)
        if news.lost:
            _LOG.warning("the history of %s was made anew: comparing all that it has", self._parts.project)
            return self._compare()
        if news.place != place:
            self._settle(news.memory_ids)
            self._keep(news.place)
        return bool(news.memory_ids)

    def _compare(self) -> bool:
        """Look at all that either side has. What changes meanwhile is in the history behind the place."""
        place = until_done(self._parts.history.end, self._stop)
        until_done(self._compare_all, self._stop)
        self._keep(place)
        return True

    def _compare_all(self) -> None:
        for page in self._parts.points.pages():
            self._settle(page)
        # Asked again, and not compared with the pages: a memory that moved while they were read may be in none.
        known = self._parts.known.memory_ids()
        while chunk := tuple(islice(known, _CHUNK)):
            self._settle(chunk)

    def _settle(self, memory_ids: Iterable[str]) -> None:
        left = list(memory_ids)
        for _ in range(_ROUNDS):
            left = until_done(lambda: self._round(left), self._stop)  # noqa: B023
            if not left:
                return

    def _round(self, memory_ids: list[str]) -> list[str]:
        """Publish what differs now; those are to be looked at again."""
        payloads = self._parts.points.read(memory_ids)
        self._parts.view.catch_up()
        now = datetime.now(UTC)
        found = {memory_id: self._records(memory_id, payloads.get(memory_id), now) for memory_id in memory_ids}
        records = [record for owing in found.values() for record in owing]
        self._parts.publisher.send_all(records)
        self.done.published += sum(record.value is not None for record in records)
        self.done.deleted += sum(record.value is None for record in records)
        return [memory_id for memory_id, owing in found.items() if owing]

    def _records(self, memory_id: str, payload: Mapping[str, Any] | None, now: datetime) -> list[NewRecord]:
        parts = self._parts
        try:
            state = None if payload is None else from_store(memory_id, payload)
            events = owed(memory_id, state, parts.known.held(memory_id), parts.rule, now)
        except ValueError as error:
            _LOG.error("memory %s of Mem0 cannot be one here: %s", memory_id, error)
            return []
        return [encode_memory(event, if_seq=parts.view.condition(event.key), source=SOURCE) for event in events]

    def _kept(self) -> Place | None:
        said = until_done(lambda: find_bookmark(self._parts, READER), self._stop)
        if said is None or not isinstance(said.get("number"), int):
            return None
        return Place(int(str(said["number"])), None if said.get("row") is None else str(said["row"]))

    def _keep(self, place: Place) -> None:
        said = {"number": place.number, "row": place.row}
        mark = Mem0Bookmark(project=self._parts.project, reader=READER, at=datetime.now(UTC), place=said)
        until_done(lambda: send(self._parts.publisher, [mark]), self._stop)
        self._place = place


@contextmanager
def opened(settings: Settings, history: History) -> Iterator[Parts]:
    """Ask Kafka and Qdrant whether they are there, and close them in the end.

    Raises:
        Refusal: one of them does not let us in, lacks something, or cannot be reached; nothing was changed.
    """
    name = f"oss:{settings.mem0.oss.name or settings.mem0.oss.collection}"
    rule = Rule.of(settings.mem0, name)
    with Points(settings.mem0.oss) as points:
        points.check()
        try:
            log = Log(settings, quiet=True)
            hints, memories = (log.topic(settings.topic_prefix + topic) for topic in (MEM0_HINTS, MEMORIES))
        except Unavailable as error:
            raise Refusal(f"{error}; nothing was changed, try again later") from None
        known = Known(rule)
        view = View(settings, log.cluster, memories, known)
        try:
            with Publisher(settings) as publisher:
                yield Parts(name, rule, history, points, log, hints, view, known, publisher)
        finally:
            view.close()
