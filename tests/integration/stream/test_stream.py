"""The stream as a process of its own, on a real broker of whose topics it has two partitions."""

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.schemas import MEMORIES, Memory, MemoryDeleted, NewRecord, encode_memory, partition_of
from tests.e2e.programs import until
from tests.integration.stream.world import StreamWorld, texts
from tests.stream_process import Manner

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def memory(text: str, **fields: Any) -> Memory:
    return Memory.new(user_id="user 1", text=text, **fields)


def test_good_records_among_bad_and_a_text_that_makes_the_model_raise(stream: StreamWorld) -> None:
    stream.add(texts(60))
    good = encode_memory(memory("misplaced"))
    right = partition_of(good.key.decode(), 2)
    late = datetime.now(UTC) - timedelta(seconds=1)
    stream.put(
        NewRecord(MEMORIES, good.key, good.value, good.headers, partition=1 - right),
        NewRecord(MEMORIES, b"user 1/poison", b"\xff no JSON"),
        NewRecord(MEMORIES, b"user 1/schema", b'{"user_id": "user 1"}'),
        NewRecord(MEMORIES, b"\xff\xfe", b"{}"),
        encode_memory(MemoryDeleted(user_id="user 1", memory_id="gone")),
        encode_memory(memory("mine", classifiers=("my own",))),
        encode_memory(memory("too late", expires_at=late)),
    )
    [dead] = stream.add(["a text that is KRYPTONITE to the model"])
    stream.add(f"more {text}" for text in texts(60))
    worker = stream.start(Manner(fails_on="KRYPTONITE"))
    stream.settle()
    stream.check(dead=[dead])
    assert stream.redone == 0
    assert worker.metric("hm_records_total") == sum(stream.ends.values())
    assert worker.metric("hm_classified_texts_total") == 120
    until(lambda: worker.metric("hm_consumer_lag_records") == 0, 10)
    assert worker.end() == 0
    [warning] = [line for line in worker.program.said.splitlines() if "left to the rules" in line]
    assert "KRYPTONITE to" not in warning


def test_the_trace_goes_on_and_the_fact_says_who_made_it(stream: StreamWorld) -> None:
    event = memory("I love sushi")
    [at] = stream.put(encode_memory(event, trace=[("traceparent", TRACE.encode()), ("tracestate", b"x" * 9000)]))
    stream.sent[at] = event
    stream.start(HM_CLASSIFIER__GENERATION="7")
    stream.settle()
    [record] = stream.world.read("memories.classified")
    assert record.header("traceparent") == TRACE
    assert record.header("tracestate") is None
    assert record.header("ce_source") == "urn:hybrid-memory:classifier"
    [[fact]] = stream.facts().values()
    assert (fact.generation, fact.provenance.model, fact.origin) == (7, "known", at)


def test_told_to_stop_it_finishes_its_batches_and_commits_them(stream: StreamWorld) -> None:
    stream.add(texts(200))
    worker = stream.start(Manner(rate=100)).until_ready()
    until(lambda: worker.metric("hm_classified_texts_total") > 0, 10)
    assert worker.end() == 0
    done = len(stream.facts())
    assert 0 < done < 200
    assert sum(stream.committed.values()) == done
    stream.start()
    stream.settle()
    stream.check()
    assert stream.redone == 0


def test_while_the_classifier_is_away_it_waits_and_can_be_stopped(stream: StreamWorld) -> None:
    away = stream.world.folder / "away"
    away.touch()
    stream.add(texts(40))
    manner = Manner(away=str(away))
    worker = stream.start(manner)
    until(lambda: "retrying: the known classifier is away" in worker.readiness(), 20, stream.said)
    assert worker.end() == 0
    assert stream.committed == {}
    worker = stream.start(manner)
    until(lambda: "retrying" in worker.readiness(), 20, stream.said)
    away.unlink()
    stream.settle()
    worker.until_ready()
    stream.check()
    assert worker.end(signal.SIGINT) == 0


def test_the_brake_ends_it_before_anything_of_the_batch_is_sent(stream: StreamWorld) -> None:
    stream.add(texts(32))
    stream.start(Manner(batch_size=8))
    stream.settle()
    stream.workers[0].end()
    stream.add(f"KRYPTONITE {text}" for text in texts(64))
    worker = stream.start(Manner(batch_size=64, fails_on="KRYPTONITE"), HM_STREAM__BRAKE_IN_A_ROW="20")
    until(lambda: not worker.program.running, 40, stream.said)
    assert worker.program.process.returncode == 2
    last = worker.program.said.splitlines()[-1]
    assert last.startswith(
        "hm: the stream is braked: 20 records in a row could not be applied; the last because: it ca"
    )
    dead = len(stream.letters())
    assert dead < 20, "a batch was sent in which the brake pulled"
    assert len(stream.facts()) == sum(stream.committed.values()) == 32 + dead


def test_an_unforeseen_fault_ends_it_at_once_and_nothing_is_taken_for_done(stream: StreamWorld) -> None:
    stream.add(texts(50))
    worker = stream.start(Manner(faulty=True))
    until(lambda: not worker.program.running, 20, stream.said)
    assert worker.program.process.returncode == 70
    assert "nobody foresaw" in worker.program.said
    assert "Traceback" in worker.program.said
    assert stream.committed == {}
    assert stream.facts() == {}


def test_a_batch_that_never_ends_is_ended_by_the_watchdog(stream: StreamWorld) -> None:
    *_, hung = stream.add([*texts(5), "a text on which it will HANG"])
    worker = stream.start(Manner(hangs_on="HANG"), HM_STREAM__STUCK_SECONDS="1")
    until(lambda: not worker.program.running, 40, stream.said)
    assert worker.program.process.returncode == 70
    assert "a batch has been in flight for" in worker.program.said
    assert "most recent call first" in worker.program.said
    assert hung not in [fact.origin for facts in stream.facts().values() for fact in facts]
    assert stream.committed.get(hung.partition, 0) <= hung.offset


def test_it_waits_for_topics_and_says_so(stream: StreamWorld) -> None:
    worker = stream.start(HM_TOPIC_PREFIX="t-none-such.")
    until(lambda: "topic t-none-such.memories does not exist" in worker.readiness(), 20, stream.said)
    assert worker.end() == 0


def test_a_lone_memory_waits_no_longer_than_it_must(stream: StreamWorld) -> None:
    worker = stream.start(Manner(batch_size=1000), HM_STREAM__WAIT_SECONDS="0.2").until_ready()
    stream.add(["alone"])
    until(lambda: len(stream.facts()) == 1, 10)
    assert worker.metric("hm_event_age_seconds_sum") < 1.5


def test_it_leaves_nothing_where_it_runs(stream: StreamWorld) -> None:
    worker = stream.start().until_ready()
    assert list(worker.place.iterdir()) == []
    assert worker.end() == 0


def test_it_does_not_stand_open_and_its_metrics_need_a_key(stream: StreamWorld) -> None:
    open_to_all = stream.start(HM_STREAM__HOST="0.0.0.0")
    until(lambda: not open_to_all.program.running, 40, stream.said)
    assert open_to_all.program.process.returncode == 2
    assert "listening on 0.0.0.0 would let anybody" in open_to_all.program.said
    made = make_key("prometheus", [Scope.ADMIN], "all").entry
    worker = stream.start(HM_HTTP__KEYS=f"[{made.model_dump_json()}]")
    until(lambda: worker.readiness() == "ok", 40, stream.said)
    assert httpx.get(f"{worker.url}/metrics").status_code == 401
