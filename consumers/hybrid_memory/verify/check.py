"""The comparison of index and log, right beside a running system.

A round asks the index how far it has applied the log, reads the log to its end, looks at points, and reads the log to
its end again. A memory of which nothing was said at or after the position that the index told at first is settled:
the index must have shown just what the log says, whenever in between it was looked at. The others are looked at again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.sink.ownership import check_identity
from hybrid_memory.verify.differences import Kind
from hybrid_memory.verify.follow import Follower
from hybrid_memory.verify.ledger import Ledger, Partition
from hybrid_memory.verify.states import Shown
from hybrid_memory.verify.views import About, View

_PAUSE = 0.2
Looked = Iterable[tuple[list[str], list[Shown]]]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to compare. `sample`: so many memories by chance, instead of all. `wait_s` bounds how long what changes is
    looked at again. `provisional_s`: how long a memory may wait for the classifier stream.
    """

    sample: int | None = None
    provisional_s: float | None = None
    wait_s: float = 30.0
    examples: int = 20


@dataclass(frozen=True, slots=True)
class Behind:
    """A partition that the index has not applied up to where the log ended when the check began."""

    topic: str
    partition: int
    applied: int
    end: int


@dataclass(slots=True)
class Report:
    """What came of it. `changing`: memories that were written on for as long as they were looked at."""

    index_id: str
    log: int = 0
    index: int = 0
    compared: int = 0
    changing: int = 0
    seconds: float = 0.0
    sampled: bool = False
    kinds: dict[Kind, int] = field(default_factory=dict)
    examples: list[tuple[str, Kind, str]] = field(default_factory=list)
    partitions: list[Partition] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.kinds and not self.behind


def verify(view: View, follower: Follower, options: Options, say: Say = lambda _: None) -> Report:
    """Compare them.

    Raises:
        Refusal: the index is not a view of this log.
        Unavailable: Kafka or the index is away.
    """
    began = time.monotonic()
    about = view.about()
    topics = {topic.name: topic for topic in (follower.memories, follower.classified)}
    check_identity(about.identity, topics, about.embedder, about.dimensions)
    ledger = Ledger(follower.memories.partitions, follower.memories.topic_id)
    try:
        check = _Check(view, follower, ledger, options, say, about.index_id)
        behind = check.run()
        report = _report(ledger, view.about(), options, behind)
    finally:
        ledger.close()
    report.seconds = time.monotonic() - began
    return report


@dataclass(slots=True)
class _Check:
    view: View
    follower: Follower
    ledger: Ledger
    options: Options
    say: Say
    index_id: str
    number: int = 0

    def run(self) -> list[Behind]:
        """Compare until nothing is open, or the time is over; the partitions in which the index is behind then."""
        self.say("reading the log")
        self.follower.follow(self.ledger)
        goal = {topic.name: self.follower.ends(topic) for topic in (self.follower.memories, self.follower.classified)}
        self.say("reading the index")
        if self.options.sample is None:
            self._round(lambda _: (([], shown) for shown in self.view.points()))
        else:
            self.ledger.sample(self.options.sample)
        # What is new since then was not there when this began.
        self.ledger.close_to_new()
        deadline = time.monotonic() + (self.options.wait_s if self.view.moves else 0.0)
        while True:
            about = self._round(self._open)
            behind = list(_behind(goal, about))
            if not (self.ledger.still_open or behind) or time.monotonic() >= deadline:
                return behind
            self.say("looking again at what changed")
            time.sleep(_PAUSE)

    def _round(self, look: Callable[[About], Looked]) -> About:
        self.number += 1
        about = self.view.about()
        if about.index_id != self.index_id:
            raise Unavailable("another index took this one's place while it was looked at; run it again")
        self.follower.follow(self.ledger)
        for asked, shown in look(about):
            self.ledger.compare(self.number, asked, shown, self._provisional_before())
        self.follower.follow(self.ledger)
        self.ledger.reopen(self.number, *self._applied(about))
        return about

    def _open(self, about: About) -> Looked:
        return ((keys, self.view.find(keys)) for keys in self.ledger.open(*self._applied(about)))

    def _applied(self, about: About) -> tuple[Mapping[int, int], Mapping[int, int]]:
        return about.of(self.follower.memories.name), about.of(self.follower.classified.name)

    def _provisional_before(self) -> int | None:
        age = self.options.provisional_s
        return None if age is None else int((time.time() - age) * 1000)


def _behind(goal: dict[str, dict[int, int]], about: About) -> Iterator[Behind]:
    for topic, ends in goal.items():
        for number, end in ends.items():
            applied = about.of(topic).get(number, 0)
            if applied < end:
                yield Behind(topic, number, applied, end)


def _report(ledger: Ledger, about: About, options: Options, behind: list[Behind]) -> Report:
    whole = options.sample is None
    return Report(
        index_id=about.index_id,
        log=ledger.memories_said,
        index=about.memories,
        compared=ledger.compared,
        changing=ledger.still_open,
        sampled=not whole,
        kinds=ledger.kinds(),
        examples=ledger.examples(options.examples),
        partitions=ledger.partitions() if whole else [],
        behind=behind,
    )
