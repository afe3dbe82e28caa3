"""The client, the ingest writer and `hm publish` on a real broker, which is killed and comes back."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from hybrid_memory.client import AsyncMemoryClient, Memory, MemoryClient, MemoryDeleted, NotDelivered, SomeNotDelivered
from hybrid_memory.ingest import KafkaWriter
from hybrid_memory.local import Broker
from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster, make_consumer, to_record
from hybrid_memory.runtime.settings import Settings, load_settings
from hybrid_memory.runtime.topics import apply_topics
from hybrid_memory.schemas import MEMORIES, Position, Record, decode_memory, encode_memory, memory_key, partition_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PUBLISH = [sys.executable, "-c", "import typer; from hybrid_memory.client.commands import publish; typer.run(publish)"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of our own: these tests kill it."""
    with Broker(tmp_path_factory.mktemp("broker"), cache_dir=load_settings().cache_dir) as started:
        yield started


@pytest.fixture
def settings(broker: Broker, request: pytest.FixtureRequest) -> Settings:
    """Settings with topics of this test's own."""
    broker.start()
    prefix = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60] + "."
    made = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers}, topic_prefix=prefix)
    apply_topics(made)
    return made


def read(settings: Settings, count: int, topic: str = MEMORIES) -> list[Record]:
    """All records of a topic, of which there are `count`."""
    consumer = make_consumer(settings, "reader")
    consumer.subscribe([settings.topic_prefix + topic])
    records: list[Record] = []
    deadline = time.monotonic() + 30
    try:
        while len(records) < count:
            assert time.monotonic() < deadline, f"{len(records)} of {count} records"
            records += [to_record(message) for message in consumer.consume(1000, 0.2) if message.error() is None]
        records += [to_record(message) for message in consumer.consume(1, 0.2)]
    finally:
        consumer.close()
    assert len(records) == count
    return records


def written(settings: Settings, least: int = 0) -> int:
    """How many records the topic has, once it has `least`. A broker that has just started may need a moment."""
    cluster = Cluster(settings)
    name = settings.topic_prefix + MEMORIES
    deadline = time.monotonic() + 30
    while True:
        try:
            count = sum(cluster.ends(cluster.topics([name])[name]).values())
        except Unavailable:
            count = -1
        if count >= least:
            return count
        assert time.monotonic() < deadline, f"{count} of {least} records"
        time.sleep(0.05)


def test_what_is_added_is_in_the_log_where_it_says(settings: Settings) -> None:
    with MemoryClient(settings=settings) as client:
        added = client.add("alice/b@c", "I love Thai food", topic="food", traceparent=PARENT)
        gone = client.delete("alice/b@c", added.memory_id)
    first, second = read(settings, 2)
    event = decode_memory(first)
    assert isinstance(event, Memory)
    assert (event.text, event.topic, event.memory_id) == ("I love Thai food", "food", added.memory_id)
    assert (added.position.partition, added.position.offset) == (first.partition, first.offset)
    assert first.header("traceparent") == PARENT
    assert decode_memory(second) == MemoryDeleted(user_id="alice/b@c", memory_id=added.memory_id)
    assert (gone.partition, gone.offset) == (second.partition, second.offset)
    topic = Cluster(settings).topics([settings.topic_prefix + MEMORIES])[settings.topic_prefix + MEMORIES]
    assert added.position.topic_id == topic.topic_id
    assert first.partition == partition_of(memory_key("alice/b@c", added.memory_id), topic.partitions)


def test_many_arrive_in_order(settings: Settings) -> None:
    with MemoryClient(settings=settings) as client:
        added = client.add_many({"user_id": f"u{i % 7}", "memory_id": "m", "text": str(i)} for i in range(5000))
    assert len({(one.position.partition, one.position.offset) for one in added}) == 5000
    latest = {(r.partition, r.offset): decode_memory(r) for r in read(settings, 5000)}
    for i, one in enumerate(added):
        event = latest[one.position.partition, one.position.offset]
        assert isinstance(event, Memory)
        assert event.text == str(i)
    of_one_user = [one.position.offset for one in added[::7]]
    assert of_one_user == sorted(of_one_user)


async def test_the_asynchronous_client(settings: Settings) -> None:
    async with AsyncMemoryClient(settings=settings) as client:
        singly = await asyncio.gather(*(client.add("u", f"memory {i}") for i in range(300)))
        many = await client.add_many({"user_id": "v", "text": str(i)} for i in range(5000))
        await client.delete("u", singly[0].memory_id)
    places = {(one.position.partition, one.position.offset) for one in (*singly, *many)}
    assert len(places) == 5300
    assert written(settings) == 5301


def test_several_threads_share_a_client(settings: Settings) -> None:
    with MemoryClient(settings=settings) as client, ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda i: client.add("u", f"memory {i}"), range(200)))
    assert len({(one.position.partition, one.position.offset) for one in added}) == written(settings) == 200


def test_settings_come_from_the_environment_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", settings.bootstrap_servers)
    monkeypatch.setenv("HM_TOPIC_PREFIX", settings.topic_prefix)
    with MemoryClient() as client:
        client.add("u", "x")
    assert written(settings) == 1


def test_a_topic_that_does_not_exist(settings: Settings) -> None:
    with MemoryClient(settings=settings, topic_prefix="nobody-made-this.") as client:
        with pytest.raises(NotDelivered, match="hm topics apply") as caught:
            client.add("u", "x")
        apply_topics(settings.model_copy(update={"topic_prefix": "nobody-made-this."}))
        client.add("u", "x")
    assert not caught.value.retriable


def test_kafka_dies_and_comes_back(broker: Broker, settings: Settings) -> None:
    with MemoryClient(settings=settings, timeout=3.0) as client:
        client.add("u", "before")
        broker.kill()
        with pytest.raises(NotDelivered) as caught:
            client.add("u", "during", memory_id="m")
        with pytest.raises(SomeNotDelivered) as some:
            client.add_many({"user_id": "u", "text": str(i)} for i in range(10))
        broker.start()
        client.add("u", "after")
    assert caught.value.retriable
    assert caught.value.memory.memory_id == "m"
    assert (len(some.value.failed), some.value.added) == (10, {})
    assert {event.text for r in read(settings, 2) if isinstance(event := decode_memory(r), Memory)} == {
        "before",
        "after",
    }


@pytest.mark.slow
def test_an_absence_shorter_than_the_timeout_is_not_felt(broker: Broker, settings: Settings) -> None:
    with (
        MemoryClient(settings=settings, timeout=60.0) as client,
        MemoryClient(settings=settings, timeout=60.0) as newcomer,
        MemoryClient(settings=settings, timeout=60.0) as leaver,
        ThreadPoolExecutor(3) as pool,
    ):
        client.add("u", "before")
        leaver.add("u", "before too")
        broker.kill()
        added = pool.submit(client.add_many, [{"user_id": "u", "text": str(i)} for i in range(100)])
        early = pool.submit(newcomer.add, "u", "early")
        leaving = pool.submit(leaver.add, "u", "never")
        wait([leaving], 0.5)
        leaver._publisher.close(0.1)
        with pytest.raises(NotDelivered):  # no future is left open
            leaving.result(10)
        broker.start()
        assert len(added.result(60)) == 100
        assert early.result(60).memory_id
    assert written(settings) == 103


@pytest.mark.slow
async def test_the_ingest_writer_gives_up_soon_and_for_good(broker: Broker, settings: Settings) -> None:
    writer = KafkaWriter(settings, delivery_timeout=2.0)
    records = [encode_memory(Memory.new(user_id="u", text=str(i))) for i in range(3)]
    try:
        assert all(isinstance(outcome, Position) for outcome in await writer.append(records))
        await asyncio.to_thread(broker.kill)
        began = time.monotonic()
        assert all(isinstance(outcome, Unavailable) for outcome in await writer.append(records))
        assert time.monotonic() - began < 6
        await asyncio.to_thread(broker.start)
        assert isinstance((await writer.append(records[:1]))[0], Position)
    finally:
        await asyncio.to_thread(writer.close)
    assert await asyncio.to_thread(written, settings) == 4


def publish(settings: Settings, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PUBLISH, *args], input=stdin, env=env(settings), capture_output=True, timeout=60)


def env(settings: Settings) -> dict[str, str]:
    import os

    return {
        **os.environ,
        "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "HM_TOPIC_PREFIX": settings.topic_prefix,
    }


def test_publish_a_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "memories.jsonl"
    lines = [json.dumps({"text": f"memory {i}"}) for i in range(3000)]
    lines[7] = "nonsense"
    lines[9] = '{"memory_id": "m", "deleted": true}'
    file.write_text("\n".join(lines))
    done = publish(settings, str(file), "--user-id", "bob", "--json")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["published"], summary["deleted"], summary["failed"]) == (2998, 1, 1)
    assert done.stderr.decode().splitlines()[0].startswith("line 8: not JSON: ")
    assert written(settings) == 2999


def test_publish_a_pipe(settings: Settings) -> None:
    done = publish(settings, stdin=b'{"user_id": "u", "text": "hello"}\n')
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith("1 published in ")


def test_publish_sends_a_line_as_soon_as_it_comes(settings: Settings) -> None:
    with subprocess.Popen(PUBLISH, env=env(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b'{"user_id": "u", "text": "hello"}\n')
        process.stdin.flush()
        written(settings, 1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output.startswith(b"1 published in ")


def test_publish_where_no_kafka_is(settings: Settings, tmp_path: Path) -> None:
    from hybrid_memory.client.publish_command import run
    from hybrid_memory.runtime.errors import Refusal

    with pytest.raises(Refusal, match=r"cannot read .*missing: No such file or directory"):
        run(str(tmp_path / "missing"), settings.bootstrap_servers, None, False)
    with pytest.raises(Refusal, match=r"cannot read .*: Is a directory"):
        run(str(tmp_path), settings.bootstrap_servers, None, False)


@pytest.mark.slow
def test_publish_stops_when_kafka_dies(broker: Broker, settings: Settings, tmp_path: Path) -> None:
    environment = {**env(settings), "HM_KAFKA__DELIVERY_TIMEOUT_MS": "3000"}
    complaints = tmp_path / "complaints"
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(
            [*PUBLISH, "--json"],
            bufsize=0,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        stop = threading.Event()
        feeding = threading.Thread(target=feed, args=(process, stop))
        feeding.start()
        written(settings, 2000)  # well past the start, when all waits for the producer's id
        broker.kill()
        process.wait(60)
        stop.set()
        feeding.join()
        assert process.stdout is not None
        summary = json.loads(process.stdout.read())
    assert process.returncode == 1
    assert summary["resume_from_line"] > 1000
    assert complaints.read_text().count("line ") == summary["failed"] > 0
    broker.start()
    # Each line before that one is durable; a few after it may be.
    assert written(settings) >= summary["published"] >= summary["resume_from_line"] - 1


def feed(process: "subprocess.Popen[bytes]", stop: threading.Event) -> None:
    assert process.stdin is not None
    number = 0
    try:
        while not stop.is_set():
            number += 1
            process.stdin.write(b'{"user_id": "u", "text": "memory %d"}\n' % number)
            time.sleep(0.001)
    except OSError:  # it has stopped reading
        return
