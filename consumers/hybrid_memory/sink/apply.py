"""Applies a batch to the index: get, embed, fold, write. A batch that the store rejects is halved until only the
culprit is left."""

import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hybrid_memory.index.points import Point, StoredPoint
from hybrid_memory.index.store import Rejected, VectorStore
from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.sink.decode import failure
from hybrid_memory.sink.fold import fold
from hybrid_memory.sink.terms import Answer, AnyFact, Input, Labeller, Log, Unreadable, Vector
from hybrid_memory.sink.vectors import Vectoriser

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What came of a batch: the answers that are owed, and why records were refused, by their place in the batch."""

    answers: list[Answer] = field(default_factory=list)
    refused: dict[int, Failure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applier:
    """One batch at a time into one index. Applying a batch again is harmless."""

    store: VectorStore
    vectorise: Vectoriser
    rules: Labeller
    log: Log
    expect_stream: bool

    def apply(self, records: Sequence[Input]) -> Outcome:
        """Write what the records come to. When it returns, the index shows it.

        Raises:
            Unavailable: the store is away; apply the same records again.
        """
        outcome = Outcome()
        self._apply(list(enumerate(records)), outcome)
        return outcome

    def _apply(self, records: list[tuple[int, Input]], outcome: Outcome) -> None:
        if not records:
            return
        stored = self.store.get({record.key for _, record in records})
        points = {key: found.point for key, found in stored.items()}
        texts = self.vectorise.texts((record for _, record in records), stored)
        folded = fold(
            points,
            (record for _, record in records),
            rules=self.rules.over(texts),
            log=self.log,
            expect_stream=self.expect_stream,
        )
        try:
            self._write(folded.points.values(), stored, texts)
        except Rejected as error:
            self._bisect(records, error, outcome)
        else:
            outcome.answers.extend(folded.answers)

    def _write(self, points: Iterable[Point], stored: Mapping[str, StoredPoint], texts: Mapping[str, Vector]) -> None:
        upserts: list[StoredPoint] = []
        upgrades: list[StoredPoint] = []
        for made in self.vectorise(points, stored, texts):
            known = stored.get(made.point.key)
            same_version = known is not None and known.point.live and known.point.seq == made.point.seq
            (upgrades if same_version else upserts).append(made)
        if upserts:
            self.store.upsert(upserts)
        if upgrades:
            self.store.upgrade(upgrades)

    def _bisect(self, records: list[tuple[int, Input]], error: Rejected, outcome: Outcome) -> None:
        if len(records) > 1:
            middle = len(records) // 2
            self._apply(records[:middle], outcome)
            self._apply(records[middle:], outcome)
            return
        [(place, record)] = records
        _LOG.warning("the index rejects a record", extra={"key": record.key, "reason": str(error)})
        outcome.refused[place] = failure("poison", error, traceback.format_exc())
        if not isinstance(record, AnyFact):
            # As if it could not be read: what it would hide is answered.
            self._apply([(place, Unreadable(record.seq, record.key, record.answered))], outcome)
