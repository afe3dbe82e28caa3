"""What `hm replay diff` has found out of a job, whatever it is shown as. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybrid_memory.replay.churn import Change, Churn, Tally
from hybrid_memory.replay.overlap import Found
from hybrid_memory.replay.sample import Sample

_ROWS = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """A job's results beside what was there before. `facts` are what there is to know of the job, in words."""

    job: str
    facts: Mapping[str, str]
    churn: Churn
    examples: Sequence[Change]
    searches: Sequence[Found] | None = None
    """The least alike first; None where no queries were given."""

    @property
    def overlap(self) -> float | None:
        """The mean overlap of the queries."""
        return None if not self.searches else sum(found.overlap for found in self.searches) / len(self.searches)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one pass over a job's results gave."""

    churn: Churn
    examples: Sequence[Change]
    of_users: Mapping[str, Sequence[Change]]
    """All changes of the users that were asked for."""


def count_up(changes: Iterable[Change], examples: int, users: Iterable[str] = ()) -> Counted:
    """Count them in one pass, with `examples` of those that changed, and all of these users."""
    tally, sample = Tally(), Sample(examples)
    wanted: dict[str, list[Change]] = {user: [] for user in users}
    for change in changes:
        tally.add(change)
        if change.changed:
            sample.add(change)
        if change.user_id in wanted:
            wanted[change.user_id].append(change)
    return Counted(tally.result(), sample.chosen(), wanted)


def to_program(found: Comparison, most: int = 100) -> dict[str, Any]:
    """The comparison as JSON has it: at most so many labels, users and pairs; shares from 0 to 1."""
    churn = found.churn
    return {
        "job": found.job,
        "about": dict(found.facts),
        "memories": churn.memories,
        "changed": churn.changed,
        "churn": round(churn.share, 6),
        "gained": churn.gained,
        "emptied": churn.emptied,
        "makers": [{"before": before, "after": after, "memories": n} for (before, after), n in churn.makers],
        "labels": [
            {"label": it.label, "added": it.added, "removed": it.removed, "kept": it.kept, "churn": round(it.share, 6)}
            for it in churn.labels[:most]
        ],
        "pairs": [{"before": before, "after": after, "memories": n} for (before, after), n in churn.pairs[:most]],
        "users": {
            "count": len(churn.users),
            "by_share": churn.user_shares(),
            "most_changed": [
                {"user_id": it.user_id, "memories": it.memories, "changed": it.changed, "churn": round(it.share, 6)}
                for it in churn.users[:_ROWS]
            ],
        },
        "searches": None if found.searches is None else _searches(found),
        "examples": [_example(it) for it in found.examples],
    }


def _searches(found: Comparison) -> dict[str, Any]:
    assert found.searches is not None
    return {
        "overlap_at_10": None if found.overlap is None else round(found.overlap, 6),
        "queries": [
            {"user_id": it.user_id, "query": it.query, "overlap": it.overlap, "before": it.before, "after": it.after}
            for it in found.searches
        ],
    }


def _example(change: Change) -> dict[str, Any]:
    return {
        "user_id": change.user_id,
        "memory_id": change.memory_id,
        "text": change.text,
        "before": list(change.before),
        "after": list(change.after),
    }
