"""Sends what was found for a batch, and notes that it is sent: in an order in which a death costs nothing."""

from collections import Counter
from dataclasses import dataclass

from hybrid_memory.classifier.stream.work import Delivery
from hybrid_memory.replay.batch import Batch, Found
from hybrid_memory.replay.board import Board
from hybrid_memory.replay.duty import Duty
from hybrid_memory.replay.job import now
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas.replays import ReplayProgress


@dataclass(frozen=True, slots=True)
class Delivering:
    """First results, so that what a fact replaces is known even where the sink has taken that back by the time that the
    batch is done again; then facts and dead letters; then progress. Each is durable before the next begins, so that a
    death repeats one batch at most."""

    publisher: Publisher
    board: Board
    duty: Duty
    brake: Brake

    def deliver(self, batch: Batch, found: Found, progress: ReplayProgress, seconds: float) -> ReplayProgress:
        """Send all that was found, in `seconds`, for the batch after `progress`; the progress with it.

        Raises:
            Left: the process is to end before all was sent.
            Refusal: the brake has pulled, and nothing was sent; or Kafka will not have a record.
        """
        self._check_brake(found, progress.job)
        ends = self.duty.insist(lambda: self.publisher.send_all(found.results))
        self.duty.insist(Delivery(self.publisher, found.facts).attempt)
        progress = progress.model_copy(
            update={
                "next": batch.next,
                "results": max([progress.results, *(at.offset + 1 for at in ends)]),
                "classified": progress.classified + len(found.outcomes),
                "failed": progress.failed + sum(outcome.failure is not None for outcome in found.outcomes),
                "skipped": dict(Counter(progress.skipped) + batch.skipped),
                "seconds": progress.seconds + seconds,
            }
        )
        return self.note(progress)

    def note(self, progress: ReplayProgress) -> ReplayProgress:
        """Say how far it is, and wait until that is durable."""
        progress = progress.model_copy(update={"at": now()})
        self.duty.insist(lambda: self.board.progress(progress))
        return progress

    def _check_brake(self, found: Found, job: str) -> None:
        for outcome in found.outcomes:
            self.brake.count(outcome.failure is not None)
            if outcome.failure is not None and self.brake.reason is not None:
                raise Refusal(
                    f"the replay is braked: {self.brake.reason}; the last because: {outcome.failure.message}; nothing "
                    f"of its batch was sent: mend the classifier, then: hm replay work {job}"
                )
