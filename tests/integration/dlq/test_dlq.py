"""`hm dlq` on a real Kafka, with letters of the real sink: seen, mended, redriven and dropped."""

import os
import pty
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hybrid_memory.dlq.candidates import memory_candidate
from hybrid_memory.dlq.choosing import by_filter
from hybrid_memory.dlq.conditions import SINK_SOURCE
from hybrid_memory.dlq.headers import REDRIVEN_FROM
from hybrid_memory.dlq.letters import Filter
from hybrid_memory.dlq.plan import Planner
from hybrid_memory.dlq.reading import Log
from hybrid_memory.dlq.send import Sender
from hybrid_memory.replay.store import load_jobs
from hybrid_memory.runtime.deadletters import Failure, dead_letter
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.schemas import (
    CLASSIFIED,
    MEMORIES,
    MachineProvenance,
    Memory,
    MemoryClassified,
    NewRecord,
    encode_fact,
    encode_memory,
    partition_of,
)
from tests.e2e.programs import hm
from tests.integration.dlq.conftest import Dlq
from tests.integration.sink.world import Running, World

DEAD = "dlq.memories"


def memory(text: str, memory_id: str = "m") -> NewRecord:
    return encode_memory(Memory.new(user_id="ann", text=text, memory_id=memory_id))


def poison(text: str = "I like tea", memory_id: str = "m") -> NewRecord:
    """Valid, but for a comma too few."""
    good = memory(text, memory_id)
    assert good.value is not None
    return replace(good, value=good.value.replace(b',"memory_id"', b'"memory_id"'))


def mend_comma(dlq: Dlq) -> None:
    dlq.editor('s/"memory_id"/,&/')


def die(world: World, sink: Running, *records: NewRecord) -> None:
    """Until the sink has dead-lettered these."""
    before = len(world.read(DEAD))
    sink.wait(world.send(*records))
    sink.until(lambda: len(world.read(DEAD)) >= before + len(records))
    sink.settle()


def text_of(sink: Running, memory_id: str = "m") -> str | None:
    shown = sink.point(memory_id).memory
    return None if shown is None else shown.text


def test_what_died_is_seen_mended_and_comes_to_life(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        die(world, sink, poison())
        [letter] = dlq.letters()
        assert (letter["class"], letter["stage"], letter["key"], letter["redrives"]) == ("poison", "sink", "ann/m", 0)
        ref = letter["ref"]
        assert ref.startswith(world.settings.topic_prefix + DEAD)

        assert "no dead letters" in dlq("list", "--class", "schema")
        assert "no dead letters" in dlq("list", "--older-than", "1h")
        table = dlq("list", "--stage", "sink")
        assert ref in table
        assert "poison" in table
        shown = dlq("show", ref)
        assert "I like tea" in shown
        assert "__connect.errors.exception.message" in shown
        assert dlq.json("show", ref)["message"] == letter["message"]

        # As it is, it would die again: refused. Mended badly, too.
        assert "mend it with --edit" in dlq("redrive", ref, "--yes", code=2)
        dlq.editor('s/"text"/,"words"/')
        said = dlq("redrive", ref, "--edit", "--yes", code=2)
        assert "Nothing was done; what you wrote is in" in said
        mend_comma(dlq)
        assert "say --yes" in dlq("redrive", ref, "--edit", code=2)
        assert dlq.json("redrive", ref, "--edit", "--dry-run")["done"] is False
        assert len(world.read(MEMORIES)) == 1

        assert dlq.json("redrive", ref, "--edit", "--yes")["done"] is True
        sink.settle()
        assert text_of(sink) == "I like tea"
        assert dlq.letters() == []
        assert "no dead letter stands at" in dlq("redrive", ref, "--yes", code=2)
    [_, again] = world.read(MEMORIES)
    assert again.header("hm-redrive-count") == "1"
    assert again.header("hm-if-seq") == str(letter["source"]["offset"])
    assert not any(name.startswith("__connect") for name, _ in again.headers)
    assert again.header("ce_source") == "urn:hybrid-memory:client"


def test_a_mend_over_a_live_memory_does_not_stand_in_the_way(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        sink.wait(world.send(memory("I like coffee")))
        die(world, sink, poison())
        assert text_of(sink) == "I like coffee"
        mend = world.read(MEMORIES)[-1]
        assert mend.header("ce_source") == SINK_SOURCE
        mend_comma(dlq)
        [letter] = dlq.letters()
        dlq("redrive", letter["ref"], "--edit", "--yes")
        sink.settle()
        assert text_of(sink) == "I like tea"
        assert world.read(MEMORIES)[-1].header("hm-if-seq") == str(mend.offset)
    # And so does an index that is built anew.
    with world.sink("another") as sink:
        sink.settle()
        assert text_of(sink) == "I like tea"


def test_a_newer_memory_is_not_overwritten(world: World, dlq: Dlq) -> None:
    mend_comma(dlq)
    with world.sink() as sink:
        sink.wait(world.send(memory("I like coffee")))
        die(world, sink, poison())
        sink.wait(world.send(memory("I like water now")))
        sink.settle()
        [letter] = dlq.letters()
        before = len(world.read(MEMORIES))
        said = dlq("redrive", letter["ref"], "--edit", "--yes", code=2)
        assert "something newer was said" in said
        left = dlq.json("redrive", "--all", "--yes", code=1)
        assert [one["ref"] for one in left["left"]] == [letter["ref"]]
        assert len(world.read(MEMORIES)) == before
        assert len(dlq.letters()) == 1
        assert text_of(sink) == "I like water now"


@pytest.mark.slow
def test_what_is_said_after_the_plan_wins(world: World, dlq: Dlq) -> None:
    """The plan knows of no news; the sink judges again when the record arrives."""
    with world.sink() as sink:
        die(world, sink, replace(memory("I like tea"), headers=(("ce_type", b"unknown"),)))
        log = Log(world.settings)
        [shelf] = by_filter(log, DEAD, Filter(), keep_values=True)
        [letter] = shelf.chosen
        mended = replace(letter, record=replace(letter.record, headers=letter.record.headers[1:]))
        plan = Planner(log).plan([mended], {letter.ref: [mended]}, {})
        assert len(plan.steps) == 1
        sink.wait(world.send(memory("news")))
        with Publisher(world.settings.model_copy(update={"topic_prefix": ""})) as publisher:
            Sender(log, publisher, shelf.topic, shelf.view, shelf.ranges).redrive(plan.steps)
        sink.settle()
        assert text_of(sink) == "news"


@pytest.mark.slow
def test_a_redrive_that_was_cut_off_is_finished_and_not_done_twice(world: World, dlq: Dlq) -> None:
    mend_comma(dlq)
    with world.sink() as sink:
        die(world, sink, poison())
        [letter] = dlq.letters()
        place = ":".join(str(part) for part in letter["source"].values())
        mended = encode_memory(
            Memory.new(user_id="ann", text="I like tea", memory_id="m"), if_seq=letter["source"]["offset"]
        )
        # As a run that was killed between append and drop leaves it.
        sink.wait(world.send(replace(mended, headers=(*mended.headers, (REDRIVEN_FROM, place.encode())))))
        before = len(world.read(MEMORIES))
        [step] = dlq.json("redrive", letter["ref"], "--edit", "--yes")["redriven"]
        assert "was appended before" in step["note"]
        assert len(world.read(MEMORIES)) == before
        assert dlq.letters() == []


@pytest.mark.slow
def test_several_of_one_memory_go_together_and_the_newest_counts(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        die(world, sink, poison("first"), poison("second"))
        first, second = dlq.letters()
        mend_comma(dlq)
        said = dlq("redrive", first["ref"], "--edit", "--yes", code=2)
        assert f"{second['ref']} is a newer one of the same memory" in said
        dlq("redrive", second["ref"], "--edit", "--yes")
        sink.settle()
        assert text_of(sink) == "second"
        # The null has the same key as the first letter, which it does not mean: that one moved behind it.
        [moved] = dlq.letters()
        assert moved["source"] == first["source"]
        assert moved["ref"] != first["ref"]
        assert "something newer was said" in dlq("redrive", moved["ref"], "--edit", "--yes", code=2)


@pytest.mark.slow
def test_what_dies_again_before_its_letter_is_dropped_is_not_dropped_with_it(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        die(world, sink, poison())
        log = Log(world.settings)
        [shelf] = by_filter(log, DEAD, Filter(), keep_values=True)
        # What a redrive appends; the sink is faster than the null.
        die(world, sink, replace(poison(), headers=(*poison().headers, ("hm-redrive-count", b"1"))))
        with Publisher(world.settings.model_copy(update={"topic_prefix": ""})) as publisher:
            Sender(log, publisher, shelf.topic, shelf.view, shelf.ranges).drop(shelf.chosen, "redriven")
    [letter] = dlq.letters()
    assert letter["redrives"] == 1
    *_, null, copy = world.read(DEAD)
    assert (null.value, null.key, copy.key) == (None, b"ann/m", b"ann/m")  # compaction keeps the copy
    assert letter["ref"] == f"{copy.topic}:{copy.partition}:{copy.offset}"


@pytest.mark.slow
def test_a_fact_goes_back_to_its_own_partition_and_one_of_another_log_stays(world: World, dlq: Dlq) -> None:
    prefix, partitions = world.settings.topic_prefix, world.topic(CLASSIFIED).partitions
    [at] = world.send(memory("I like tea"))
    wrong = (at.partition + 1) % partitions
    known = Memory.new(user_id="ann", text="I like tea", memory_id="m")
    provenance = MachineProvenance(source="llm", model="test", generation=1, at=datetime.now(UTC))
    fact = MemoryClassified(
        memory=known, seq=at.offset, generation=1, classifiers=("drinks",), provenance=provenance, origin=at
    )
    foreign = fact.model_copy(update={"origin": at.model_copy(update={"topic_id": "x" * 22})})
    with world.sink() as sink:
        for event in (fact, foreign):
            world.send(replace(encode_fact(event, partitions), partition=wrong))
        sink.until(lambda: len(world.read(f"dlq.{CLASSIFIED}")) == 2)
        done = dlq.json("redrive", "--all", "--topic", f"{prefix}dlq.{CLASSIFIED}", "--yes", code=1)
        assert (len(done["redriven"]), len(done["left"])) == (1, 1)
        assert "its origin is the topic with id xxx" in done["left"][0]["why"]
        sink.settle()
        assert sink.point("m").classifiers == ("drinks",)


@pytest.mark.slow
def test_on_a_terminal_it_asks(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        die(world, sink, poison())
    for answer, left in ((b"n\n", 1), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        command = hm("dlq", "drop", "--all", "--reason", "asked")
        process = subprocess.Popen(command, env=dlq.env, stdin=theirs, stderr=subprocess.PIPE, text=True)
        os.write(ours, answer)
        _, said = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert "drop 1 dead letters for good?" in said
        assert process.returncode == (2 if left else 0), said
        assert len(dlq.letters()) == left


@pytest.mark.slow
def test_what_stood_in_the_wrong_partition_goes_to_the_right_one(world: World, dlq: Dlq) -> None:
    right = partition_of("ann/m", world.topic(MEMORIES).partitions)
    wrong = (right + 1) % world.topic(MEMORIES).partitions
    with world.sink() as sink:
        sink.wait(world.send(memory("older")))
        die(world, sink, replace(memory("I like tea"), partition=wrong), replace(poison("x", "n"), key=b"ann/n"))
        done = dlq.json("redrive", "--class", "policy", "--yes")
        assert len(done["redriven"]) == 1
        sink.settle()
        assert text_of(sink) == "I like tea"
        assert [letter["key"] for letter in dlq.letters()] == ["ann/n"]


def letter_of(world: World, new: NewRecord, stage: str = "sink", redrives: int = 0) -> NewRecord:
    """A letter as if `new` had died in the sink, appended to `memories` before so that its place is real."""
    [position] = world.send(new)
    record = next(
        found
        for found in world.read(MEMORIES)
        if (found.partition, found.offset) == (position.partition, position.offset)
    )
    counted = replace(record, headers=(*record.headers, ("hm-redrive-count", str(redrives).encode())))
    return dead_letter(counted, Failure("policy", "Rejected", "no", stage), world.settings.topic_prefix)


def test_what_dies_again_has_died_since_the_first_time(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        die(world, sink, poison())
        [first] = dlq.letters()
        [shelf] = by_filter(Log(world.settings), DEAD, Filter(), keep_values=True)
        # As a redrive says it; it dies again, since its value is not mended.
        candidate = memory_candidate(shelf.chosen[0], world.topic(MEMORIES), memory("I like tea").value)
        again = replace(candidate.record, topic=MEMORIES, value=b"still no JSON")
        die(world, sink, again)
    *_, second = world.read(DEAD)
    assert second.header("hm-first-failed-at") == shelf.chosen[0].record.header("hm-first-failed-at")
    assert (second.header("hm-attempts"), second.header("hm-redrive-count")) == ("2", "1")
    assert {one["failed_at"] for one in dlq.letters()} == {first["failed_at"]}


def test_what_is_too_large_for_a_dead_letter_ends_no_consumer(world: World, dlq: Dlq) -> None:
    large = replace(poison(), value=b"{" + b"x" * 3_000_000)  # it fits into `memories` since it is sent compressed
    with Publisher(world.settings, **{"message.max.bytes": 4_000_000}) as publisher, world.sink() as sink:
        [position] = publisher.send_all([large])
        sink.wait([position])
        sink.wait(world.send(memory("and the sink goes on")))
        sink.until(lambda: world.read(DEAD))
    [letter] = dlq.letters()
    assert (letter["left_out"], letter["source"]["offset"]) == ("value", position.offset)
    assert "value: too large; it stands where it came from" in dlq("show", letter["ref"])
    said = dlq("redrive", letter["ref"], "--yes", code=2)
    assert f"the whole record stands at {world.settings.topic_prefix}memories:{position.partition}" in said


def test_what_was_redriven_too_often_stays(world: World, dlq: Dlq) -> None:
    world.send(letter_of(world, memory("I like tea"), redrives=3))
    [letter] = dlq.letters()
    assert letter["redrives"] == 3
    assert "was redriven 3 times" in dlq("redrive", letter["ref"], "--yes", code=2)
    assert "was redriven 3 times" in dlq("redrive", letter["ref"], "--edit", "--yes", code=2)
    assert len(dlq.json("redrive", "--all", "--yes", code=1)["left"]) == 1
    assert dlq.json("redrive", letter["ref"], "--yes", "--max-redrives", "4")["done"] is True
    assert world.read(MEMORIES)[-1].header("hm-redrive-count") == "4"


def test_what_the_classifier_could_not_do_becomes_a_replay_of_that_memory(world: World, dlq: Dlq) -> None:
    for text in ("first", "second"):  # a memory that failed twice
        world.send(letter_of(world, memory(text), stage="classify"))
    world.send(letter_of(world, memory("other", "n"), stage="classify"), memory("untouched", "o"))
    first, second, other = dlq.letters()
    dlq.editor("s/x/y/")
    assert "what it says is not changed here" in dlq("redrive", first["ref"], "--edit", "--yes", code=2)
    planned = dlq.json("redrive", "--all", "--dry-run")
    assert {step["note"] for step in planned["redriven"]} == {"a replay of its memory"}
    assert load_jobs(world.settings) == []

    done = dlq.json("redrive", "--stage", "classify", "--yes")
    [job] = load_jobs(world.settings)
    assert sorted(step["ref"] for step in done["redriven"]) == sorted(one["ref"] for one in (first, second, other))
    assert {step["note"] for step in done["redriven"]} == {f"hm replay work {job.id}"}
    assert (job.definition.filters.keys, job.definition.generation) == (("ann/m", "ann/n"), 1)
    assert dlq.letters() == []
    assert len(world.read(MEMORIES)) == 4


@pytest.mark.slow
def test_drop(world: World, dlq: Dlq) -> None:
    with world.sink() as sink:
        die(world, sink, poison(memory_id="a"), poison(memory_id="b"), poison(memory_id="c"))
    [first, *_] = dlq.letters()
    assert "say --yes" in dlq("drop", first["ref"], "--reason", "a test", code=2)
    assert "--reason takes" in dlq("drop", first["ref"], "--reason", " ", "--yes", code=2)
    assert len(dlq.letters()) == 3
    assert "1 dropped" in dlq("drop", first["ref"], "--reason", "a test", "--yes")
    null = next(record for record in world.read(DEAD) if record.value is None)
    assert (null.key, null.header("hm-dropped-because")) == (first["key"].encode(), "a test")
    assert "stands a null" in dlq("show", f"{world.settings.topic_prefix}{DEAD}:{null.partition}:{null.offset}", code=2)
    assert len(dlq.letters()) == 2
    assert len(dlq.json("drop", "--class", "poison", "--reason", "the rest", "--yes")["dropped"]) == 2
    assert dlq.letters() == []
    assert "0 dropped" in dlq("drop", "--all", "--reason", "none", "--yes")
