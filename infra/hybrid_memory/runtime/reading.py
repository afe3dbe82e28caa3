"""Reads topics from one offset to another, without a group, and says so while it lasts."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import PASSING, Cluster, TopicInfo, make_consumer, to_record
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import Record

GROUP = "hm-reader"  # never committed to
_ANSWER_SECONDS = 5.0
_SILENT_SECONDS = 30.0
_LINE_SECONDS = 5.0
_BATCH = 500

Ranges = Mapping[int, tuple[int, int]]
"""Of each partition, the offset to begin at and the one to stop before."""


class Log:
    """A cluster's topics, read without a group. `quiet`: nobody looks at how far a long reading has come."""

    def __init__(self, settings: Settings, quiet: bool = False) -> None:
        self.settings = settings
        self._quiet = quiet
        self.cluster = Cluster(settings, _ANSWER_SECONDS)

    def topic(self, name: str) -> TopicInfo:
        """A topic by its name on the cluster, or by its name in the registry.

        Raises:
            Refusal: there is none of that name.
            Unavailable: Kafka does not answer.
        """
        names = list(dict.fromkeys([name, self.settings.topic_prefix + name]))
        found = self.cluster.topics(names)
        for known in names:
            if known in found:
                return found[known]
        raise Refusal(f"there is no topic {names[-1]}; hm topics list shows ours")

    def whole(self, topic: TopicInfo) -> dict[int, tuple[int, int]]:
        """All that the topic has now."""
        starts, ends = self.cluster.starts(topic), self.cluster.ends(topic)
        return {number: (starts[number], ends[number]) for number in ends}

    def read(self, topic: TopicInfo, ranges: Ranges) -> Iterator[Record]:
        """The records of these ranges, in order within a partition.

        Raises:
            Unavailable: Kafka falls silent before the end.
        """
        wanted = {number: span for number, span in ranges.items() if span[0] < span[1]}
        if not wanted:
            return
        consumer = make_consumer(self.settings, GROUP, **{"enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(topic.name, number, begin) for number, (begin, _) in wanted.items()])
            total = sum(end - begin for begin, end in wanted.values())
            with shown(f"reading {topic.name}", total) if not self._quiet else nullcontext(_nobody) as show:
                yield from self._until_ends(consumer, topic.name, wanted, show)
        finally:
            consumer.close()

    def first_since(self, topic: TopicInfo, partition: int, timestamp: int) -> int:
        """The first offset of a record that is not older than `timestamp` (ms); the end where there is none."""
        consumer = make_consumer(self.settings, GROUP)
        try:
            # A time before 1970 would be taken for one of Kafka's signs, such as -1 for the end.
            asked = TopicPartition(topic.name, partition, max(0, timestamp))
            [found] = consumer.offsets_for_times([asked], timeout=10)
        except KafkaException as error:
            raise self.cluster.translated(error) from error
        finally:
            consumer.close()
        return int(found.offset) if found.offset >= 0 else self.cluster.ends(topic)[partition]

    def _until_ends(
        self, consumer: Consumer, name: str, wanted: Ranges, show: Callable[[int], None]
    ) -> Iterator[Record]:
        left, done = dict(wanted), 0
        heard = time.monotonic()
        while left:
            messages = _next(consumer)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENT_SECONDS:
                raise Unavailable(f"Kafka said nothing of {name} for {_SILENT_SECONDS:.0f} s; the rest was not read")
            for message in messages:
                number, offset = message.partition() or 0, message.offset() or 0
                if number not in left or (message.error() and not _at_end(message)):
                    continue
                end = left[number][1]
                if message.error() is None and offset < end:
                    yield to_record(message)
                if offset >= end - 1 or message.error():
                    del left[number]
                done += 1
            show(done)


def _nobody(_: int) -> None:
    """Hears how far it has come."""


def _next(consumer: Consumer) -> list[Message]:
    """What is there; waits for the first alone, since `consume` would wait for a whole batch."""
    first = consumer.poll(0.5)
    return [] if first is None else [first, *consumer.consume(_BATCH - 1, 0)]


def _at_end(message: Message) -> bool:
    """Whether this says that its partition ends; what passes is no answer, and anything else is no end either."""
    error = message.error()
    assert error is not None
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.code() in PASSING or error.retriable():
        return False
    raise Refusal(f"topic {message.topic()} cannot be read: {error.str()}")


@contextmanager
def shown(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A callback that says how far a long reading has come: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        with _bar(what, total) as callback:
            yield callback
        return
    said = time.monotonic()

    def line(done: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _LINE_SECONDS:
            said = time.monotonic()
            print(f"{what}: {done:,} of at most {total:,} records", file=sys.stderr, flush=True)

    yield line


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
