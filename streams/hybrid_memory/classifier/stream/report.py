"""What the metrics and the log are told of each batch."""

import logging
import time
from collections.abc import Sequence

from hybrid_memory.classifier.halving import STAGE
from hybrid_memory.classifier.stream.work import Done
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.schemas import Record

_LOG = logging.getLogger(__name__)


class Report:
    """Keeps the metrics of the stream."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def began(self, taken: float) -> float:
        """A batch that was taken at this monotonic time has its turn; the time now."""
        now = time.monotonic()
        self._metrics.batch_wait.labels(STAGE).observe(now - taken)
        return now

    def ended(self, records: Sequence[Record], done: Done, began: float) -> None:
        """A batch that had its turn at this monotonic time is delivered."""
        metrics, now = self._metrics, time.time()
        failures = [outcome.failure for outcome in done.outcomes if outcome.failure is not None]
        metrics.batch_size.labels(STAGE).observe(len(records))
        metrics.stage_duration.labels(STAGE).observe(time.monotonic() - began)
        metrics.classified_texts.inc(len(done.outcomes) - len(failures))
        metrics.classified_tokens.inc(sum(outcome.tokens for outcome in done.outcomes))
        for outcome, count in (
            ("classified", len(done.outcomes) - len(failures)),
            ("skipped", done.skipped.total()),
            ("dead", len(failures)),
        ):
            metrics.records.labels(STAGE, outcome).inc(count)
        for failure in failures:
            metrics.dead_letters.labels(STAGE, failure.error_class).inc()
            _LOG.warning("a memory was left to the rules: %s", failure.message, extra={"class": failure.error_class})
        for record in records:
            metrics.event_age.labels(STAGE).observe(max(0.0, now - record.timestamp / 1000))
