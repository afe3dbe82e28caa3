"""The sink on a real broker: what it applies, holds, answers and refuses."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import SinkSettings
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    MachineProvenance,
    Memory,
    MemoryClassified,
    MemoryDeleted,
    NewRecord,
    Position,
    Record,
    decode_memory,
    encode_fact,
    encode_memory,
    fact_key,
    partition_of,
)
from tests.integration.sink.world import World

NOW = datetime.now(UTC)


def memory(text: str, memory_id: str | None = "m", **rest: object) -> Memory:
    return Memory.new(user_id="ann", text=text, memory_id=memory_id, **rest)


def fact(world: World, of: Memory, at: Position, *labels: str, generation: int = 1) -> NewRecord:
    event = MemoryClassified(
        memory=of,
        seq=at.offset,
        generation=generation,
        classifiers=labels,
        provenance=MachineProvenance(source="llm", model="test", generation=generation, at=NOW),
        origin=at,
    )
    return encode_fact(event, world.topic(CLASSIFIED).partitions)


def headers(record: Record) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in record.headers}


def test_a_memory_is_shown_replaced_and_deleted(world: World) -> None:
    with world.sink() as sink:
        sink.wait(world.send(encode_memory(memory("I love spicy Thai food"))))
        point = sink.point("m")
        assert "cuisine type" in point.classifiers
        assert (point.topic, point.state, point.source) == ("food", "final", "rules")
        sink.wait(world.send(encode_memory(memory("I moved to Lisbon"))))
        moved = sink.point("m")
        assert moved.memory is not None
        assert moved.memory.text == "I moved to Lisbon"
        sink.wait(world.send(encode_memory(MemoryDeleted(user_id="ann", memory_id="m"))))
        gone = sink.point("m")
        assert gone.memory is None
        assert sink.store.count() == 0


def test_a_fact_upgrades_its_own_version_and_only_that(world: World) -> None:
    first, second = memory("I love sushi"), memory("I hate sushi now")
    with world.sink(expect_stream=True) as sink:
        [at] = world.send(encode_memory(first))
        sink.wait([at])
        before = sink.point("m")
        assert before.state == "provisional"
        text_vector = sink.store.get([before.key])[before.key].vectors
        world.send(fact(world, first, at, "japanese food"))
        sink.until(lambda: sink.point("m").classifiers == ("japanese food",))
        after = sink.point("m")
        assert (after.state, after.generation, after.provenance and after.provenance.model) == ("final", 1, "test")
        vectors = sink.store.get([after.key])[after.key].vectors
        assert text_vector is not None
        assert vectors is not None
        assert vectors.text == text_vector.text
        assert vectors.classifiers != text_vector.classifiers

        # A newer version makes it obsolete, and so does it a late copy; the log is told.
        sink.wait(world.send(encode_memory(second)))
        world.send(fact(world, first, at, "late"))
        sink.settle()
        newest = sink.point("m")
        assert newest.provenance is not None
        assert newest.provenance.source == "rules"
    last = {record.key: record.value for record in world.read(CLASSIFIED)}
    assert last == {f"ann/m@{at.offset}.1".encode(): None}


def test_a_fact_waits_for_its_memory(world: World) -> None:
    """A classified record may arrive first: here its origin is appended only after the sink has seen the fact."""
    topic = world.topic(MEMORIES)
    number = partition_of("ann/m", topic.partitions)
    filler = [f"f{n}" for n in range(2000) if partition_of(f"ann/f{n}", topic.partitions) == number][:50]
    with world.sink() as sink:
        world.send(*(encode_memory(memory(f"filler {id_}", memory_id=id_)) for id_ in filler))
        [at] = world.send(encode_memory(memory("I love sushi")))
        world.send(fact(world, memory("I love sushi"), at, "japanese food"))
    # A new index reads both topics from the start, at once.
    with world.sink("another", sink=SinkSettings(batch_size=5)) as sink:
        sink.settle()
        point = sink.point("m")
        assert point.classifiers == ("japanese food",)


def test_what_nobody_can_read_goes_to_the_dead_letters_and_the_rest_goes_on(world: World) -> None:
    with world.sink() as sink:
        sink.wait(world.send(encode_memory(memory("I love sushi"))))
        good = encode_memory(memory("I have a dog", memory_id="other"))
        sink.wait(
            world.send(
                replace(good, value=b"{not json", key=b"ann/m"),
                replace(good, value=b'{"user_id": "ann", "memory_id": "x", "text": ""}', key=b"ann/x"),
                replace(good, key=b"no slash"),
                replace(good, partition=(partition_of("ann/other", 8) + 1) % 8),
                good,
            )
        )
        sink.settle()
        # The poison record would have hidden a live memory from a rebuild: its state was appended again.
        point = sink.point("m")
        assert point.memory is not None
        assert point.memory.text == "I love sushi"
    letters = {record.key: headers(record) for record in world.read("dlq.memories")}
    classes = {key: found["hm-error-class"] for key, found in letters.items()}
    assert classes == {b"ann/m": "poison", b"ann/x": "schema", b"no slash": "poison", b"ann/other": "policy"}
    assert "text" in letters[b"ann/x"]["__connect.errors.exception.message"]
    assert letters[b"ann/m"]["__connect.errors.stage"] == "sink"
    last = {record.key: record for record in world.read(MEMORIES) if record.key == b"ann/m"}[b"ann/m"]
    assert decode_memory(last) == memory("I love sushi", created_at=point.memory.created_at)
    assert "hm-if-seq" in headers(last)


def test_a_foreign_or_impossible_origin_is_dead_not_held(world: World) -> None:
    with world.sink() as sink:
        [at] = world.send(encode_memory(memory("I love sushi")))
        foreign = Position(topic_id="AAAAAAAAAAAAAAAAAAAAAA", partition=at.partition, offset=at.offset)
        beyond = Position(topic_id=at.topic_id, partition=at.partition, offset=at.offset + 1000)
        world.send(
            fact(world, memory("I love sushi"), foreign, "a"),
            fact(world, memory("I love sushi"), beyond, "b"),
            fact(world, memory("I love sushi"), at, "c"),
        )
        sink.settle()
        point = sink.point("m")
        assert point.classifiers == ("c",)
    reasons = [
        headers(record)["__connect.errors.exception.message"] for record in world.read("dlq.memories.classified")
    ]
    assert len(reasons) == 2
    assert any("AAAA" in reason for reason in reasons)
    assert any("ends at" in reason for reason in reasons)


def test_poison_under_the_key_of_a_fact_is_answered_with_it_or_with_a_null(world: World) -> None:
    first, second = world.send(encode_memory(memory("I love tea")), encode_memory(memory("I love sushi")))
    seqs = (first.offset, second.offset, second.offset + 1000)
    keys = [fact_key("ann/m", seq, 1).encode() for seq in seqs]
    gone, shown, never = (NewRecord(CLASSIFIED, key, b"{not json", partition=first.partition) for key in keys)
    world.send(never, shown, fact(world, memory("I love sushi"), second, "a"), gone)
    with world.sink() as sink:
        sink.settle()
        world.send(shown)
        sink.settle()
        assert sink.point("m").classifiers == ("a",)
    last = {record.key: record.value for record in world.read(CLASSIFIED)}
    assert last[keys[0]] is None
    assert json.loads(last[keys[1]] or b"")["classifiers"] == ["a"]
    assert last[keys[2]] == b"{not json"  # it hides nothing
    assert len(world.read(f"dlq.{CLASSIFIED}")) == 4


def test_of_two_edits_of_one_version_the_first_wins(world: World) -> None:
    with world.sink() as sink:
        [at] = world.send(encode_memory(memory("one")))
        sink.wait([at])
        world.send(encode_memory(memory("two"), if_seq=at.offset), encode_memory(memory("three"), if_seq=at.offset))
        sink.settle()
        point = sink.point("m")
        assert point.memory is not None
        assert point.memory.text == "two"
    last = [record for record in world.read(MEMORIES) if record.key == b"ann/m"][-1]
    assert json.loads(last.value or b"")["text"] == "two"


def test_what_has_expired_is_deleted_from_the_log(world: World) -> None:
    eager = SinkSettings(housekeeping_seconds=0.1, expiry_grace_seconds=0)
    with world.sink(sink=eager) as sink:
        ticket = memory("a parking ticket", expires_at=NOW - timedelta(seconds=1))
        sink.wait(world.send(encode_memory(ticket), encode_memory(memory("b", memory_id="b"))))
        sink.until(lambda: sink.point("m").memory is None)
        assert sink.store.count() == 1
    assert [record.value for record in world.read(MEMORIES) if record.key == b"ann/m"][-1] is None


def test_the_brake_stops_before_the_topic_is_emptied_into_the_dead_letters(world: World) -> None:
    careful = SinkSettings(brake_in_a_row=20, batch_size=10)
    bad = [NewRecord(MEMORIES, f"ann/{n}".encode(), b"{not json") for n in range(200)]
    with world.sink(sink=careful) as sink:
        world.send(*bad)
        sink.until(lambda: sink.sink.state.name == "braked")
        assert "in a row" in sink.sink.state.reason
    assert len(world.read("dlq.memories")) < 20


def test_an_index_goes_on_where_it_was(world: World) -> None:
    with world.sink() as sink:
        sink.wait(world.send(encode_memory(memory("I love sushi"))))
        identity, progress = sink.store.identity(), sink.store.progress().positions
    world.send(encode_memory(memory("I have a dog", memory_id="dog")))
    with world.sink() as sink:
        sink.settle()
        assert sink.store.identity() == identity
        assert sink.store.count() == 2
        assert sum(sink.store.progress().positions.values()) == sum(progress.values()) + 1


def test_an_index_of_another_log_is_refused(world: World) -> None:
    with world.sink() as sink:
        sink.wait(world.send(encode_memory(memory("I love sushi"))))
    from hybrid_memory.runtime.kafka import Cluster
    from hybrid_memory.runtime.topics import apply_topics

    cluster = Cluster(world.settings)
    name = world.topic(MEMORIES).name
    cluster.result(cluster.admin.delete_topics([name])[name])
    apply_topics(world.settings)
    with pytest.raises(Refusal, match="index reset"), world.sink() as sink:
        sink.until(lambda: sink.error)
