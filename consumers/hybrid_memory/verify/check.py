"""The comparison of index and log, right beside a running system.

An index stands somewhere between two positions: the one that it tells before its points are looked at, and the one
after. The log is read just up to the second. A memory that is spoken of in between is looked at again; of any other the
index must show what the log says. One thing may be missing from the log at that place: what the sink answered to a
record that it refused. So where anything differs, the log is read to its end; a memory of which more is said there is
looked at again too.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.sink.ownership import check_identity
from hybrid_memory.verify.differences import Kind
from hybrid_memory.verify.follow import Follower, Positions
from hybrid_memory.verify.ledger import Ledger, Partition
from hybrid_memory.verify.states import Shown
from hybrid_memory.verify.views import About, View

_PAUSE = 0.2
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to compare.

    `sample`: so many memories by chance, instead of all. `wait_s` bounds how long an index that is behind is waited
    for, and how long what changes is looked at again. `provisional_s`: how long a memory may wait for the classifier
    stream.
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
    """What came of it. `changing`: memories that were written on for as long as they were looked at. `counts_differ`:
    log and index had another number of memories while nothing moved, which a sample cannot tell otherwise.
    """

    index_id: str
    log: int = 0
    index: int = 0
    compared: int = 0
    changing: int = 0
    seconds: float = 0.0
    sampled: bool = False
    counts_differ: bool = False
    kinds: dict[Kind, int] = field(default_factory=dict)
    examples: list[tuple[str, Kind, str]] = field(default_factory=list)
    partitions: list[Partition] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.kinds or self.behind or self.counts_differ)


def verify(view: View, follower: Follower, options: Options, say: Say = lambda _: None) -> Report:
    """Compare them.

    Raises:
        Refusal: the index is not a view of this log.
        Unavailable: Kafka or the index is away.
    """
    began = time.monotonic()
    about = view.about()
    topics = {topic.name: topic for topic in follower.topics}
    check_identity(about.identity, topics, about.embedder, about.dimensions)
    ledger = Ledger(follower.memories.partitions, follower.memories.topic_id)
    try:
        check = _Check(view, follower, ledger, options, say, about.index_id)
        behind = check.run()
        about = view.about()
        follower.read_to(ledger, about.positions)
        report = _report(ledger, about, options, behind)
        still = not any(_behind(follower.ends(), about.positions))
        report.counts_differ = still and report.log != report.index
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
        """Compare until nothing is open, or the time is over; the partitions in which the index was behind."""
        goal, deadline = self.follower.ends(), self._deadline()
        while (behind := list(_behind(goal, self._about()))) and time.monotonic() < deadline:
            self.say("waiting for the index to apply what the log has")
            time.sleep(_PAUSE)
        self._compare_all()
        deadline = self._deadline()
        while True:
            for keys in self.ledger.open():
                self._compare_again(keys)
            if not self.ledger.still_open or time.monotonic() >= deadline:
                return behind
            self.say("looking again at what changed")
            time.sleep(_PAUSE)

    def _compare_all(self) -> None:
        """One look at everything; what is new meanwhile is left out."""
        before = self._about()
        self.say("reading the log")
        self.follower.read_to(self.ledger, before)
        self.ledger.close_to_new()
        if self.options.sample is not None:
            self.ledger.sample(self.options.sample)
            return
        self.number += 1
        self.say("reading the index")
        differs = [self._compare([], points) for points in self.view.points()]
        after = self._about()
        self._reopen(self.follower.read_to(self.ledger, after, since=before), after, any(differs))

    def _compare_again(self, keys: list[str]) -> None:
        self.number += 1
        before = self._about()
        shown = self.view.find(keys)
        after = self._about()
        touched = self.follower.read_to(self.ledger, after, since=before)
        self._reopen(touched, after, self._compare(keys, shown))

    def _reopen(self, touched: set[str], after: Positions, differs: bool) -> None:
        self.ledger.reopen(self.number, touched)
        if differs:
            self.ledger.reopen(self.number, self.follower.touched_since(after), if_different=True)

    def _compare(self, keys: list[str], shown: list[Shown]) -> bool:
        age = self.options.provisional_s
        before = None if age is None else int((time.time() - age) * 1000)
        return self.ledger.compare(self.number, keys, shown, before)

    def _about(self) -> Positions:
        about = self.view.about()
        if about.index_id != self.index_id:
            raise Unavailable("another index took this one's place while it was looked at; run it again")
        return about.positions

    def _deadline(self) -> float:
        return time.monotonic() + (self.options.wait_s if self.view.moves else 0.0)


def _behind(goal: Positions, applied: Positions) -> Iterator[Behind]:
    for topic, ends in goal.items():
        for number, end in ends.items():
            at = applied.get(topic, {}).get(number, 0)
            if at < end:
                yield Behind(topic, number, at, end)


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
