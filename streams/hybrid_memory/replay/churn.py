"""What a replay changes, counted memory by memory: churn overall, per label and per user, and where labels went. Pure.

Labels are compared as sets: their order says nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Pair = tuple[str | None, str | None]
"""A label before and one after; None where nothing stood or nothing came."""


@dataclass(frozen=True, slots=True)
class Change:
    """A memory's classifiers before a job and by it, and who made each."""

    user_id: str
    memory_id: str
    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    before_by: str = ""
    after_by: str = ""

    @property
    def changed(self) -> bool:
        """Whether a label came or went."""
        return set(self.before) != set(self.after)

    @property
    def kept(self) -> tuple[str, ...]:
        """The labels that stayed."""
        return tuple(label for label in self.before if label in self.after)

    @property
    def removed(self) -> tuple[str, ...]:
        """The labels that went."""
        return tuple(label for label in self.before if label not in self.after)

    @property
    def added(self) -> tuple[str, ...]:
        """The labels that came."""
        return tuple(label for label in self.after if label not in self.before)

    @property
    def pairs(self) -> list[Pair]:
        """Each label that stayed with itself, and each that went with each that came, or with None."""
        stayed: list[Pair] = [(label, label) for label in self.kept]
        if not self.changed:
            return stayed
        return stayed + [(old, new) for old in self.removed or (None,) for new in self.added or (None,)]


@dataclass(frozen=True, slots=True)
class LabelChurn:
    """On how many memories a label came, went and stayed."""

    label: str
    added: int
    removed: int
    kept: int

    @property
    def share(self) -> float:
        """Of the memories that have it before or after, the share where it came or went."""
        return _share(self.added + self.removed, self.added + self.removed + self.kept)


@dataclass(frozen=True, slots=True)
class UserChurn:
    """How many of a user's memories a job found something for, and how many of these changed."""

    user_id: str
    memories: int
    changed: int

    @property
    def share(self) -> float:
        return _share(self.changed, self.memories)


@dataclass(frozen=True, slots=True)
class Churn:
    """All that was counted. Of labels, users and pairs, the most changed or most frequent first."""

    memories: int
    changed: int
    gained: int
    """Memories that had no label and have some."""
    emptied: int
    """Memories that had labels and have none."""
    labels: Sequence[LabelChurn]
    users: Sequence[UserChurn]
    pairs: Sequence[tuple[Pair, int]]
    """On how many memories the one went where the other came; a label with itself: on how many it stayed."""
    makers: Sequence[tuple[tuple[str, str], int]]
    """Who made the labels before and after, and of how many memories."""

    @property
    def share(self) -> float:
        """The share of memories with another set of labels: from 0 to 1."""
        return _share(self.changed, self.memories)

    @property
    def percent(self) -> float:
        """The share in percent."""
        return 100 * self.share

    @property
    def moves(self) -> list[tuple[Pair, int]]:
        """The pairs without the labels that stayed."""
        return [(pair, count) for pair, count in self.pairs if pair[0] != pair[1]]

    def user_shares(self, bins: int = 10) -> list[int]:
        """How many users had 0 to 10 %, 10 to 20 %, … of their memories changed; all of them is in the last bin."""
        counts = [0] * bins
        for user in self.users:
            counts[min(bins - 1, user.changed * bins // user.memories)] += 1
        return counts


@dataclass(slots=True)
class Tally:
    """Counts changes as they come. Holds counters alone, never a text."""

    _memories: int = 0
    _changed: int = 0
    _gained: int = 0
    _emptied: int = 0
    _labels: dict[str, list[int]] = field(default_factory=dict)
    _users: dict[str, list[int]] = field(default_factory=dict)
    _pairs: Counter[Pair] = field(default_factory=Counter)
    _makers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, change: Change) -> None:
        """Count one memory."""
        self._memories += 1
        self._changed += change.changed
        self._gained += bool(change.after and not change.before)
        self._emptied += bool(change.before and not change.after)
        for at, labels in enumerate((change.added, change.removed, change.kept)):
            for label in labels:
                self._labels.setdefault(label, [0, 0, 0])[at] += 1
        user = self._users.setdefault(change.user_id, [0, 0])
        user[0] += 1
        user[1] += change.changed
        self._pairs.update(change.pairs)
        self._makers[change.before_by, change.after_by] += 1

    def result(self) -> Churn:
        """What was counted so far."""
        labels = [LabelChurn(label, *counts) for label, counts in self._labels.items()]
        users = [UserChurn(user, *counts) for user, counts in self._users.items()]
        return Churn(
            self._memories,
            self._changed,
            self._gained,
            self._emptied,
            sorted(labels, key=lambda it: (-it.added - it.removed, -it.kept, it.label)),
            sorted(users, key=lambda it: (-it.changed, -it.memories, it.user_id)),
            sorted(self._pairs.items(), key=lambda it: (-it[1], it[0][0] or "", it[0][1] or "")),
            sorted(self._makers.items(), key=lambda it: (-it[1], it[0])),
        )


def count(changes: Iterable[Change]) -> Churn:
    """All of them, counted."""
    tally = Tally()
    for change in changes:
        tally.add(change)
    return tally.result()


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
