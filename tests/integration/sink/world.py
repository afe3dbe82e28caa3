"""A sink in a thread, on a real broker and a real Edge index, with topics of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.index.edge import EdgeStore
from hybrid_memory.index.hashing import HashEmbedder
from hybrid_memory.index.labelling import fast_classifier
from hybrid_memory.index.points import Point
from hybrid_memory.index.store import VectorStore
from hybrid_memory.runtime.kafka import Cluster, TopicInfo, make_consumer, to_record
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MEMORIES, NewRecord, Position, Record, memory_key
from hybrid_memory.sink.loop import Sink

LABELS = fast_classifier(default_taxonomy(), HashEmbedder())


@dataclass
class World:
    """Topics of their own on the broker, a publisher, and sinks on folders under `folder`."""

    settings: Settings
    folder: Path
    publisher: Publisher
    failures: list[BaseException] = field(default_factory=list)

    @contextmanager
    def sink(self, index: str = "index", **settings: Any) -> Iterator["Running"]:
        """A sink that follows the log into this index while the context lasts."""
        with self.sink_on(EdgeStore.open(self.folder / index, HashEmbedder().dimensions), **settings) as running:
            yield running

    @contextmanager
    def sink_on(self, store: VectorStore, shared: bool = False, **settings: Any) -> Iterator["Running"]:
        """A sink on this store while the context lasts; the store is closed after it."""
        mine = self.settings.model_copy(update=settings)
        running = Running(self, Sink(mine, store, HashEmbedder(), LABELS, Metrics(), shared=shared), store)
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            yield running
        finally:
            running.stop.set()
            thread.join(30)
            store.close()
        if running.error is not None:
            raise running.error

    def send(self, *records: NewRecord) -> list[Position]:
        return self.publisher.send_all(records)

    def topic(self, name: str) -> TopicInfo:
        return Cluster(self.settings).topics([self.settings.topic_prefix + name])[self.settings.topic_prefix + name]

    def configure(self, *names: str, **config: str) -> None:
        """Change settings of topics; dots are written as underscores."""
        entries = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        cluster = Cluster(self.settings)
        for name in names:
            topic = ConfigResource(ResourceType.TOPIC, self.topic(name).name, incremental_configs=entries)
            cluster.result(cluster.admin.incremental_alter_configs([topic])[topic])

    def read(self, name: str) -> list[Record]:
        """All records of a topic, oldest first within a partition."""
        from confluent_kafka import TopicPartition

        topic = self.topic(name)
        starts = Cluster(self.settings).starts(topic)  # asking for "the beginning" takes librdkafka half a second
        consumer = make_consumer(self.settings, "test", **{"enable.partition.eof": True, "fetch.wait.max.ms": 10})
        consumer.assign([TopicPartition(topic.name, number, start) for number, start in starts.items()])
        records, open_partitions, deadline = [], set(starts), time.monotonic() + 30
        try:
            while open_partitions:
                assert time.monotonic() < deadline, f"{name} cannot be read to its end"
                message = consumer.poll(1)
                if message is None:
                    continue
                if message.error():
                    open_partitions.discard(message.partition())
                else:
                    records.append(to_record(message))
        finally:
            consumer.close()
        return records


@dataclass
class Running:
    """A running sink."""

    world: World
    sink: Sink
    store: VectorStore
    stop: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.sink.run(self.stop)
        except BaseException as error:
            self.error = error

    def wait(self, positions: list[Position], timeout: float = 20) -> None:
        """Until the index shows these writes."""
        assert asyncio.run(self.sink.applied.wait(positions, timeout)), f"not applied; {self.sink.state}, {self.error}"

    def until(self, condition: Callable[[], object], timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"it never came true; {self.sink.state}, {self.error}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Until everything in both topics, answers to answers too, has been applied."""

        def settled() -> bool:
            cluster = Cluster(self.world.settings)
            positions = self.store.progress().positions
            names = (MEMORIES, "memories.classified")
            topics = [self.world.topic(name) for name in names]
            return all(
                positions.get((topic.name, number), 0) == end
                for topic in topics
                for number, end in cluster.ends(topic).items()
            )

        self.until(settled)

    def point(self, memory_id: str, user_id: str = "ann") -> Point:
        """A point that must be there, tombstones included."""
        key = memory_key(user_id, memory_id)
        return self.store.get([key])[key].point
