"""What is done with a batch, apart from order and retries: decode, classify, put into records; and send."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.process import Outcome, Task, process_batch
from hybrid_memory.classifier.stream.read import Reason, Skip, read
from hybrid_memory.runtime.deadletters import dead_letter
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import NewRecord, Record, encode_fact, trace_headers

SOURCE = "urn:hybrid-memory:classifier"
_LONGEST_TRACE = 512


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that was classified: what became of each text, why other records were skipped, and what is to be sent."""

    outcomes: Sequence[Outcome]
    skipped: Counter[Reason]
    to_send: list[NewRecord]


@dataclass(frozen=True, slots=True)
class Work:
    """What it takes to work on batches of one topic. Blocks; may be called from several threads."""

    topic: TopicInfo
    topic_prefix: str
    classifier: Classifier
    rules: Classifier
    generation: int

    def classify(self, records: Sequence[Record]) -> Done:
        """Classify what in these records asks for it.

        Raises:
            Unavailable, Refusal: as `process_batch`.
        """
        now = datetime.now(UTC)
        asked = [(record, read(record, self.topic, now)) for record in records]
        skipped = Counter(found.reason for _, found in asked if isinstance(found, Skip))
        alive = [(record, found) for record, found in asked if isinstance(found, Task)]
        outcomes = process_batch(
            [task for _, task in alive], self.classifier, self.rules, generation=self.generation, at=now
        )
        sending = [
            new for (record, _), outcome in zip(alive, outcomes, strict=True) for new in self._sent(record, outcome)
        ]
        return Done(outcomes, skipped, sending)

    def _sent(self, record: Record, outcome: Outcome) -> Iterator[NewRecord]:
        trace = [(name, value) for name, value in trace_headers(record) if value and len(value) <= _LONGEST_TRACE]
        yield encode_fact(outcome.fact, self.topic.partitions, source=SOURCE, trace=trace)
        if outcome.failure is not None:
            yield dead_letter(record, outcome.failure, self.topic_prefix)


class Delivery:
    """Records on their way: each is sent until Kafka has confirmed it, and not again after."""

    def __init__(self, publisher: Publisher, records: Sequence[NewRecord]) -> None:
        self._publisher = publisher
        self._left = list(records)

    def attempt(self) -> None:
        """Send what is left, and wait until all of it is durable. Blocks.

        Raises:
            Unavailable: not all of it is; call again.
            Refusal: Kafka will not have one of them.
        """
        sent, trouble = [], None
        try:
            for record in self._left:
                sent.append(self._publisher.send(record))
        except Unavailable as error:
            trouble = error
        left = self._left[len(sent) :]
        for record, future in zip(self._left, sent, strict=False):
            try:
                future.result()
            except Unavailable as error:
                trouble = error
                left.append(record)
        self._left = left
        if trouble is not None:
            raise trouble
