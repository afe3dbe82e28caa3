"""Our dead letters, seen and dealt with; blocking, over `hybrid_memory.dlq`.

Of our own topics alone: whoever may see these need not be allowed to read every topic of the cluster.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hybrid_memory.dlq import actions
from hybrid_memory.dlq.choosing import Shelf, topics_of
from hybrid_memory.dlq.letters import Filter, Letter, Ref
from hybrid_memory.dlq.plan import Plan, Planner
from hybrid_memory.dlq.reading import Log
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.settings import Settings

_MAX_BYTES = 256 << 20
"""Of the letters of one topic; an answer must not take the memory that searches need."""
GONE = "no dead letter stands there: it was dropped or has gone, or never stood there"

Place = tuple[datetime, str]
"""Where a letter comes in the list: when it first failed, and its name."""


class NotOurs(Exception):  # noqa: N818
    """This is no dead-letter topic of ours."""


@dataclass(frozen=True, slots=True)
class Meant:
    """Which letters are meant: those of these names, or those of a topic (all of ours, if none is said) that fit."""

    names: tuple[Ref, ...] = ()
    topic: str | None = None
    wanted: Filter = field(default_factory=Filter)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is meant as it was found, and the names under which nothing stands."""

    shelves: list[Shelf]
    gone: list[Ref]

    @property
    def letters(self) -> list[Letter]:
        return [letter for shelf in self.shelves for letter in shelf.chosen]


class DeadLetterDesk:
    """Opens no connection until it is used. One thing at a time, since each reads whole topics.

    Raises (any call):
        Unavailable: Kafka does not answer.
        Refusal: there are too many letters for this, or Kafka will not have one.
        NotOurs: a topic is none of our dead-letter topics.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log: Log | None = None
        self._busy = threading.Lock()

    def page(self, meant: Meant, after: Place | None, limit: int) -> tuple[list[Letter], int]:
        """Letters in the order of their first failure, without their values, and how many there are in all."""
        with self._busy:
            letters = sorted(self._choose(meant, keep_values=False).letters, key=place_of)
        later = [letter for letter in letters if after is None or place_of(letter) > after]
        return later[:limit], len(letters)

    def one(self, name: Ref) -> Letter | None:
        """The letter of this name, or None."""
        with self._busy:
            found = self._choose(Meant((name,)), keep_values=True).letters
        return found[0] if found else None

    def redrive(self, meant: Meant, value: bytes | None, max_redrives: int, dry_run: bool) -> tuple[Plan, list[Ref]]:
        """Append letters again and drop them. What was done, or would be, and what stays, with the reason; and the
        names under which nothing stands. A `value` is what the one letter that is meant says instead.
        """
        with self._busy:
            chosen = self._choose(meant, keep_values=True)
            values = {} if value is None else {letter.ref: value for letter in chosen.letters}
            plans = actions.plan_redrive(Planner(self._opened(), max_redrives), chosen.shelves, values)
            if not dry_run:
                actions.redrive(self._opened(), chosen.shelves, plans)
        return actions.together(plans), chosen.gone

    def drop(self, meant: Meant, reason: str, dry_run: bool) -> tuple[list[Letter], list[Ref]]:
        """Drop letters for good; which, and the names under which nothing stands."""
        with self._busy:
            chosen = self._choose(meant, keep_values=True)
            if not dry_run:
                actions.drop(self._opened(), chosen.shelves, reason)
        return chosen.letters, chosen.gone

    def _opened(self) -> Log:
        self._log = self._log or Log(self._settings, quiet=True, max_bytes=_MAX_BYTES)
        return self._log

    def _choose(self, meant: Meant, keep_values: bool) -> Chosen:
        topics = {topic.name: topic for topic in topics_of(self._opened(), None)}
        if not meant.names:
            only = topics if meant.topic is None else [self._ours(meant.topic, topics)]
            return Chosen([self._fitting(topics[name], meant.wanted, keep_values) for name in only], [])
        wanted: dict[str, list[Ref]] = {}
        for name in dict.fromkeys(meant.names):
            topic = self._ours(name.topic, topics)
            wanted.setdefault(topic, []).append(replace(name, topic=topic))
        shelves = [self._named(topics[topic], names, keep_values) for topic, names in wanted.items()]
        there = {letter.ref for shelf in shelves for letter in shelf.chosen}
        return Chosen(shelves, [name for names in wanted.values() for name in names if name not in there])

    def _ours(self, name: str, topics: Iterable[str]) -> str:
        for known in (name, self._settings.topic_prefix + name):
            if known in topics:
                return known
        raise NotOurs(f"{name} is none of our dead-letter topics: {', '.join(topics)}")

    def _fitting(self, topic: TopicInfo, wanted: Filter, keep_values: bool) -> Shelf:
        view, ranges = self._opened().view(topic, keep_values)
        now = datetime.now(UTC)
        return Shelf(topic, view, ranges, [letter for letter in view.letters() if wanted(letter, now)])

    def _named(self, topic: TopicInfo, names: Iterable[Ref], keep_values: bool) -> Shelf:
        view, ranges = self._opened().view(topic, keep_values)
        wanted = set(names)
        return Shelf(topic, view, ranges, [letter for letter in view.letters() if letter.ref in wanted])


def place_of(letter: Letter) -> Place:
    """Where it comes in the list."""
    return letter.failed_at, str(letter.ref)
