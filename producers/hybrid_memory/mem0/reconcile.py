"""Reconciliation: what Mem0 lists beside what the log holds, and hints at every difference."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice

from pydantic import ValidationError

from hybrid_memory.classifier.halving import classify_each
from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.mem0.comparison import Comparison, Difference
from hybrid_memory.mem0.hints import hint, hint_with, send
from hybrid_memory.mem0.listing import Listed
from hybrid_memory.mem0.mapping import Rule, Unmappable, is_gone, to_memory
from hybrid_memory.mem0.opening import Opened
from hybrid_memory.mem0.patience import until_done
from hybrid_memory.mem0.told import Told, state_of
from hybrid_memory.schemas import Memory
from hybrid_memory.schemas.mem0 import Mem0Hint

_BATCH = 200
AHEAD = 1000
"""So many hints are written before we look how many wait for the publisher: it and we stay equally fast."""


@dataclass(frozen=True, slots=True)
class Found:
    """A difference; without `listed`, Mem0 does not list the memory."""

    difference: Difference
    listed: Listed | None = None
    memory: Memory | None = None


@dataclass(slots=True)
class Tally:
    """What one round came to."""

    listed: int = 0
    hinted: int = 0
    classified: int = 0
    classifying_seconds: float = 0.0
    """How long the classifier took, and nobody else."""
    kinds: Counter[str] = field(default_factory=Counter)

    def count(self, difference: Difference) -> None:
        """One more of its kind; what waits for the publisher already is a kind of its own."""
        self.kinds["waiting" if difference.hinted else difference.kind] += 1


def differences(
    pages: Iterable[Sequence[Listed]], comparison: Comparison, rule: Rule, users: Collection[str] | None
) -> Iterator[Found]:
    """All differences of one round, those of listed memories first; `users` are ours."""
    for listed in chain.from_iterable(pages):
        found = _compared(listed, comparison, rule)
        if found is not None:
            yield found
    for difference in comparison.gone(users):
        yield Found(difference)


def _compared(listed: Listed, comparison: Comparison, rule: Rule) -> Found | None:
    if is_gone(listed.state, rule, datetime.now(UTC)):
        return None  # if the log has it, it is found among those that were not met
    try:
        memory = to_memory(listed.state, rule)
    except Unmappable as error:
        comparison.pass_over(listed.id)
        return Found(Difference("refused", "", listed.id, str(error)), listed)
    difference = comparison.meet(memory)
    return None if difference is None else Found(difference, listed, memory)


class Hinter:
    """Sends a hint for each difference, many at a time. Texts are classified first where there is a classifier.

    What was refused in the same state before has its dead letter, and no hint.
    """

    def __init__(
        self, parts: Opened, classifier: Classifier | None, told: Told, tally: Tally, stop: threading.Event
    ) -> None:
        self._parts, self._classifier, self._told = parts, classifier, told
        self._tally, self._stop = tally, stop

    def hint_at(self, found: Iterator[Found], keep_up: Callable[[], None]) -> None:
        """Hint at all of these; every hint is durable before the next batch is read. `keep_up` is called now and then.

        Raises:
            Stopped: we were told to stop; what was not hinted at is found again.
            Refusal: Kafka or the classifier cannot be had; the same holds.
        """
        size = self._classifier.batch_size if self._classifier is not None else _BATCH
        while batch := list(islice(found, size)):
            hints = [made for made in self._made(batch) if made is not None]
            until_done(lambda hints=hints: send(self._parts.publisher, hints), self._stop)  # type: ignore[misc]
            before, self._tally.hinted = self._tally.hinted, self._tally.hinted + len(hints)
            if before // AHEAD < self._tally.hinted // AHEAD:
                keep_up()

    def _made(self, batch: Sequence[Found]) -> Iterator[Mem0Hint | None]:
        answers = self._answers([one.memory for one in batch if one.memory is not None])
        for one in batch:
            yield self._hint(one, answers.get(one.memory.key, ()) if one.memory is not None else ())

    def _hint(self, found: Found, classifiers: Sequence[str]) -> Mem0Hint | None:
        project, listed = self._parts.project, found.listed
        if listed is not None and found.memory is None and self._told.has(listed.id, state_of(listed.state)):
            return None
        try:
            if listed is None or found.memory is None:
                return hint(found.difference.memory_id, "sync", project=project)
            return hint_with(listed.state, "sync", project=project, hints_end=listed.hints_end, classifiers=classifiers)
        except ValidationError:  # an id that cannot be one
            self._tally.kinds["refused"] += 1
            return None

    def _answers(self, memories: Sequence[Memory]) -> dict[str, tuple[str, ...]]:
        if self._classifier is None or not memories:
            return {}
        classifier, texts = self._classifier, [memory.text for memory in memories]
        began = time.monotonic()
        answers = until_done(lambda: classify_each(texts, classifier), self._stop)
        self._tally.classifying_seconds += time.monotonic() - began
        labels = [answer.classifiers if isinstance(answer, Answer) else () for answer in answers]
        self._tally.classified += sum(map(bool, labels))
        return {memory.key: found for memory, found in zip(memories, labels, strict=True)}
