"""Dead letters of somebody else's topics, in the families of Kafka Connect, Kafka Streams and Spring."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from confluent_kafka.admin import NewTopic

from hybrid_memory.runtime.errors import Unavailable
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.schemas import MEMORIES, Headers, Memory, NewRecord, encode_memory
from tests.e2e.programs import run, until
from tests.integration.dlq.conftest import Dlq
from tests.integration.sink.world import World


@pytest.fixture
def make(world: World) -> Callable[[str], str]:
    """Makes a topic of two partitions; its name on the cluster, which serves it by then."""

    def made(name: str) -> str:
        cluster, full = Cluster(world.settings), world.settings.topic_prefix + name
        for future in cluster.admin.create_topics([NewTopic(full, 2, 1)]).values():
            cluster.result(future)
        until(lambda: is_served(cluster, full), 20)
        return full

    return made


def is_served(cluster: Cluster, name: str) -> bool:
    """A broker hears of a new topic, and of who leads it, a moment after the controller has made it."""
    try:
        found = cluster.topics([name])
        return name in found and len(cluster.ends(found[name])) == 2
    except Unavailable:
        return False


def of_connect(topic: str) -> Headers:
    return (
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", b"1"),
        ("__connect.errors.offset", b"7"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
    )


def of_streams(topic: str) -> Headers:
    return (
        ("__streams.errors.topic", topic.encode()),
        ("__streams.errors.partition", b"1"),
        ("__streams.errors.offset", b"7"),
        ("__streams.errors.exception", b"java.lang.ArithmeticException"),
    )


def of_spring(topic: str) -> Headers:
    return (
        ("kafka_dlt-original-topic", topic.encode()),
        ("kafka_dlt-original-partition", (1).to_bytes(4, "big")),
        ("kafka_dlt-original-offset", (7).to_bytes(8, "big")),
        ("kafka_dlt-exception-fqcn", b"java.lang.IllegalStateException"),
    )


@pytest.mark.parametrize(
    ("family", "error_class"),
    [(of_connect, "DataException"), (of_streams, "ArithmeticException"), (of_spring, "IllegalStateException")],
)
def test_a_letter_goes_back_to_where_it_stood(
    world: World, dlq: Dlq, make: Callable[[str], str], family: Callable[[str], Headers], error_class: str
) -> None:
    source, dead = make("orders"), make("orders-dlq")
    world.send(NewRecord("orders-dlq", None, b"v", (("trace", b"x"), *family(source)), 0))  # type: ignore[arg-type]
    [letter] = dlq.letters("--topic", dead, "--class", error_class)
    assert letter["source"] == {"topic": source, "partition": 1, "offset": 7}
    dlq("redrive", letter["ref"], "--yes")
    [again] = world.read("orders")
    assert (again.partition, again.key, again.value) == (1, None, b"v")
    assert [name for name, _ in again.headers] == ["trace", "hm-redrive-count", "hm-redriven-from"]
    assert dlq.letters("--topic", dead) == []


def test_where_a_letter_goes_must_be_known_and_there(world: World, dlq: Dlq, make: Callable[[str], str]) -> None:
    dead, other = make("any-dlq"), make("other")
    world.send(NewRecord("any-dlq", b"k", b"v", ()), NewRecord("any-dlq", b"l", b"w", of_connect("no.such.topic")))
    without, lost = sorted(dlq.letters("--topic", dead), key=lambda letter: str(letter["key"]))
    assert "say --to TOPIC" in dlq("redrive", without["ref"], "--yes", code=2)
    assert "no topic no.such.topic" in dlq("redrive", lost["ref"], "--yes", code=2)
    ours = world.settings.topic_prefix + "memories"
    assert "whose order it could break" in dlq("redrive", lost["ref"], "--to", ours, "--yes", code=2)
    assert len(dlq.json("redrive", "--all", "--topic", dead, "--to", other, "--yes", "--rate", "50")["redriven"]) == 2
    assert {record.value for record in world.read("other")} == {b"v", b"w"}
    assert dlq.letters("--topic", dead) == []


def test_what_is_no_dead_letter_is_never_dropped(world: World, dlq: Dlq, make: Callable[[str], str]) -> None:
    orders = make("orders")
    world.send(NewRecord("orders", b"k", b"v", ()))
    world.send(encode_memory(Memory.new(user_id="ann", text="I drink tea")))
    memories = world.topic(MEMORIES).name
    for topic, says in ((orders, "no record of it has the headers"), (memories, "is not for dead letters")):
        for choice in (["--all", "--topic", topic], [f"{topic}:0:0"]):
            assert says in dlq("drop", *choice, "--reason", "x", "--yes", code=2)
            assert says in dlq("redrive", *choice, "--to", make(f"to-{uuid4().hex}"), "--yes", code=2)
        assert says in dlq("list", "--topic", topic, code=2)
        [record] = world.read(topic.removeprefix(world.settings.topic_prefix))
        assert record.value is not None


def test_calls_that_make_no_sense_are_refused_in_a_sentence(world: World, dlq: Dlq) -> None:
    ref = world.settings.topic_prefix + "dlq.memories:0:0"
    assert "say which" in dlq("redrive", "--yes", code=2)
    assert "say which" in dlq("drop", "--reason", "x", "--topic", "dlq.memories", "--yes", code=2)
    assert "but not both" in dlq("redrive", ref, "--all", "--yes", code=2)
    assert "--edit takes one letter" in dlq("redrive", "--all", "--edit", "--yes", code=2)
    assert "no dead letter stands at" in dlq("drop", ref, "--reason", "x", "--yes", code=2)
    assert "no dead letter stands at" in dlq("show", ref, code=2)
    assert "TOPIC:PARTITION:OFFSET" in dlq("show", "41", code=2)
    assert "there is no topic" in dlq("list", "--topic", "no.such.topic", code=2)
    assert "there is no topic" in dlq("drop", "no.such.topic:0:0", "--reason", "x", "--yes", code=2)
    assert "15m" in dlq("list", "--older-than", "soon", code=2)


def test_without_kafka_every_command_says_so(world: World, dlq: Dlq) -> None:
    env = dlq.env | {"HM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    commands = [
        ("list",),
        ("show", "t:0:0"),
        ("redrive", "--all", "--yes"),
        ("drop", "--all", "--reason", "x", "--yes"),
    ]
    with ThreadPoolExecutor(len(commands)) as pool:
        for done in pool.map(lambda command: run("dlq", *command, env=env), commands):
            assert (done.returncode, done.stderr) == (2, "hm: Kafka at 127.0.0.1:1 does not answer\n")
