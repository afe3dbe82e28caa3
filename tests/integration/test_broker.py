"""The embedded broker: real Kafka, started, stopped, killed, refused."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from hybrid_memory.local import Broker, BrokerError
from hybrid_memory.local.ports import answers, free_port
from hybrid_memory.runtime.errors import Refusal

DEADLINE = 30.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, kafka_cache: Path) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), cache_dir=kafka_cache) as broker:
        yield broker


def make_topic(servers: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic(name, 1, 1)]).values():
        future.result(DEADLINE)


def publish(servers: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": servers, "acks": "all"})
    producer.produce(topic, value)
    assert producer.flush(DEADLINE) == 0


def read_first(servers: str, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "g", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(DEADLINE)
        assert message is not None
        assert message.error() is None
        return message.value()
    finally:
        consumer.close()


def test_it_answers_and_keeps_data_and_port_over_a_stop_and_a_crash(broker: Broker) -> None:
    servers = broker.bootstrap_servers
    make_topic(servers, "kept")
    publish(servers, "kept", b"a memory")

    broker.stop()
    assert not broker.running
    assert not answers(int(servers.split(":")[1]))
    broker.start()
    assert broker.bootstrap_servers == servers
    assert read_first(servers, "kept") == b"a memory"

    broker.kill()
    broker.start()
    assert broker.bootstrap_servers == servers
    assert read_first(servers, "kept") == b"a memory"


def test_it_listens_on_the_loopback_address_only(broker: Broker) -> None:
    assert broker.pid
    listening = [c.laddr.ip for c in psutil.Process(broker.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert len(listening) == 2
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_a_second_user_of_the_folder_is_refused(broker: Broker, kafka_cache: Path) -> None:
    second = Broker(broker.data_dir, cache_dir=kafka_cache)
    with pytest.raises(Refusal, match="in use by another broker"):
        second.start()
    assert broker.running


@pytest.mark.slow
def test_a_port_that_is_taken_is_refused_and_a_remembered_one_replaced(tmp_path: Path, kafka_cache: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match=f"port {port} of 127.0.0.1 is taken"):
            Broker(tmp_path / "a", cache_dir=kafka_cache, port=port).start()
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "broker.json").write_text(f'{{"port": {port}}}')
        with Broker(tmp_path / "b", cache_dir=kafka_cache) as broker:
            assert broker.bootstrap_servers != f"127.0.0.1:{port}"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, kafka_cache: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="cannot be written"):
        Broker(tmp_path / "file" / "kafka", cache_dir=kafka_cache).start()


def test_a_broker_that_dies_while_it_starts_shows_the_end_of_its_log(tmp_path: Path, kafka_cache: Path) -> None:
    broker = Broker(tmp_path / "kafka", cache_dir=kafka_cache, properties={"num.io.threads": "many"})
    with pytest.raises(BrokerError, match=r"num\.io\.threads"):
        broker.start()
    assert not broker.running


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_command_stops_its_broker_on_a_signal_and_takes_it_along_when_killed(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "hybrid_memory.cli", "broker", "run", "--data-dir", str(tmp_path)]
    for sign, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "Kafka answers at 127.0.0.1:" in line
            (java,) = [p for p in psutil.Process(process.pid).children() if p.name() == "java"]
            process.send_signal(sign)
            assert process.wait(DEADLINE) == code
            assert not psutil.wait_procs([java], DEADLINE)[1]
