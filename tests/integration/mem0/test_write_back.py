"""Classifiers in Mem0's metadata, and no echo of them here."""

from datetime import UTC, datetime
from typing import Any

from hybrid_memory.mem0.hints import hint, send
from hybrid_memory.mem0.states import OURS, from_platform
from hybrid_memory.mem0.write_back import wanted_metadata
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import MachineProvenance, Memory, MemoryClassified, Position, encode_fact
from tests.integration.mem0.platform import FakePlatform
from tests.integration.mem0.world import last, published, records, until

NOW = datetime(2026, 8, 1, tzinfo=UTC)


def fact(memory: Memory, *classifiers: str, generation: int = 1) -> MemoryClassified:
    provenance = MachineProvenance(source="llm", generation=generation, at=NOW)
    origin = Position(topic_id="t", partition=0, offset=0)
    return MemoryClassified(
        memory=memory, seq=0, generation=generation, classifiers=classifiers, provenance=provenance, origin=origin
    )


def test_what_is_written_beside_the_metadata_of_others() -> None:
    memory = Memory(user_id="maya", memory_id="a", text="Lives in Lisbon")
    raw: dict[str, Any] = {"id": "a", "memory": "Lives in Lisbon", "metadata": {"trip": 7}}
    wanted = wanted_metadata(fact(memory, "home"), from_platform(raw))
    assert wanted == {"trip": 7, OURS: {"classifiers": ["home"], "generation": 1, "source": "llm"}}
    there = from_platform({**raw, "metadata": wanted})
    assert wanted_metadata(fact(memory, "home"), there) is None
    assert wanted_metadata(fact(memory, "place", generation=0), there) is None
    assert wanted_metadata(fact(memory, "place", generation=2), there) is not None
    assert wanted_metadata(fact(memory, "home"), from_platform({**raw, "memory": "another text"})) is None


def test_classifiers_are_written_back_and_not_taken_in(
    settings: Settings, platform: FakePlatform, client: Any, publisher: Publisher
) -> None:
    mine = settings.model_copy(update={"mem0": settings.mem0.model_copy(update={"write_back": True})})
    memory_id = client.add("Lives in Lisbon", user_id="maya", metadata={"trip": 7}, infer=False)["results"][0]["id"]
    with published(mine):
        send(publisher, [hint(memory_id, "webhook")])
        until(lambda: last(records(settings)))
        [memory] = last(records(settings)).values()
        stranger = memory.model_copy(update={"memory_id": "of-another", "source": "app"})
        publisher.send_all([encode_fact(fact(one, "home"), 8) for one in (memory, stranger)])
        until(lambda: OURS in (platform.store.get(memory_id) or {})["metadata"])
        send(publisher, [hint(memory_id, "webhook")])
        client.add("Likes jazz", user_id="maya", infer=False)
        other = next(row["id"] for row in platform.store.all() if row["id"] != memory_id)
        send(publisher, [hint(other, "webhook")])
        until(lambda: len(last(records(settings))) == 2)
    row = platform.store.get(memory_id)
    assert row is not None
    assert row["metadata"] == {"trip": 7, OURS: {"classifiers": ["home"], "generation": 1, "source": "llm"}}
    assert len(records(settings)) == 2
