"""Topics of their own on a real broker, memories and facts in them, and replays that classify them again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.classifier.process import Task, process_batch
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.results import read_results
from hybrid_memory.replay.run import OpenClassifier, start
from hybrid_memory.replay.starting import ReplayRequest
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    Position,
    decode_fact,
    encode_fact,
    encode_memory,
)
from hybrid_memory.schemas.registry import load_registry
from hybrid_memory.schemas.replays import REPLAYS, ReplayResult
from tests.e2e.programs import until
from tests.integration.sink.world import World
from tests.stream_process import Known, Manner

DLQ = f"dlq.{MEMORIES}"


def make_topics(settings: Settings, partitions: int = 2, **config: str) -> None:
    """The registry's topics that a replay needs, with a partition count and settings of the test's own."""
    cluster = Cluster(settings)
    wanted = [
        NewTopic(settings.topic_prefix + spec.name, partitions, 1, config={**spec.config, **config})
        for spec in load_registry()
        if spec.name in (MEMORIES, CLASSIFIED, DLQ, f"dlq.{CLASSIFIED}", REPLAYS)
    ]
    for future in cluster.admin.create_topics(wanted).values():
        future.result(30)
    until(lambda: _served(cluster, [topic.topic for topic in wanted]), 20)


def _served(cluster: Cluster, names: Sequence[str]) -> bool:
    """Whether these topics are there and led by somebody, which a broker hears of a moment later."""
    try:
        found = cluster.topics(names)
        return len(found) == len(names) and all(cluster.ends(topic) for topic in found.values())
    except (KafkaException, Unavailable):
        return False


def known(manner: Manner | None = None) -> OpenClassifier:
    """Opens a classifier that answers from the text alone."""

    def opened(settings: Settings) -> tuple[Classifier, Choice]:
        return Known(manner or Manner()), Choice("qwen", "the tests say so")

    return opened


@dataclass
class ReplayWorld:
    """What the tests do and look at."""

    world: World

    @property
    def settings(self) -> Settings:
        return self.world.settings

    def add(self, *texts: str, user: str = "ann", **fields: object) -> list[Position]:
        """Memories with these texts, whose ids are the first words of them."""
        made = [Memory.new(user_id=user, text=text, memory_id=text.split()[0], **fields) for text in texts]
        return self.world.send(*(encode_memory(memory) for memory in made))

    def delete(self, memory_id: str, user: str = "ann") -> None:
        self.world.send(encode_memory(MemoryDeleted(user_id=user, memory_id=memory_id)))

    def classify(self, positions: Iterable[Position], classifier: Classifier, generation: int = 1) -> None:
        """Facts about these memories, as the live stream would write them."""
        at = {(record.partition, record.offset): record for record in self.world.read(MEMORIES)}
        tasks = []
        for position in positions:
            memory = Memory.model_validate_json(at[position.partition, position.offset].value or b"")
            tasks.append(Task(memory, position))
        outcomes = process_batch(tasks, classifier, classifier, generation=generation, at=datetime.now(UTC))
        partitions = self.world.topic(CLASSIFIED).partitions
        self.world.send(*(encode_fact(outcome.fact, partitions) for outcome in outcomes))

    def replay(self, request: ReplayRequest | None = None, manner: Manner | None = None) -> Job:
        """Start one, and work on it to its end."""
        return start(self.settings, request or ReplayRequest(), known(manner))

    def facts(self, generation: int) -> dict[str, list[MemoryClassified]]:
        """The facts of a generation by memory id, in the order in which they were written."""
        found: dict[str, list[MemoryClassified]] = {}
        for record in self.world.read(CLASSIFIED):
            fact = decode_fact(record)
            if isinstance(fact, MemoryClassified) and fact.generation == generation:
                found.setdefault(fact.memory.memory_id, []).append(fact)
        return found

    def results(self, job: Job) -> dict[str, ReplayResult]:
        """What a job found, by memory id."""
        return {result.fact.memory.memory_id: result for result in read_results(self.settings, job.id)}

    def letters(self) -> Sequence[str]:
        """The stage of each dead letter."""
        return [record.header("__connect.errors.stage") or "" for record in self.world.read(DLQ)]


@contextmanager
def replay_world(settings: Settings, folder: Path) -> Iterator[ReplayWorld]:
    """A world on topics that are there."""
    with Publisher(settings) as publisher:
        yield ReplayWorld(World(settings, folder, publisher))
