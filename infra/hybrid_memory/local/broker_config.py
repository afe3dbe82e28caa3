"""What a one-node Kafka is told: its properties and its command lines. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_memory.local.kafka_files import KafkaFiles
from hybrid_memory.local.ports import LOOPBACK

PROPERTIES_FILE = "server.properties"

# One thread to collect garbage and the light compiler: 0.5 s less to start, and the cores are left to the embedder.
_JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
_LOG_FLAGS = (
    "defaultLogLevel=warn",
    "showDateTime=true",
    "dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "showThreadName=false",
    "log.kafka=info",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the broker listens, for clients and for its own controller."""

    broker: int
    controller: int

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"{LOOPBACK}:{self.broker}"


def broker_properties(ports: Ports, overrides: Mapping[str, object] | None = None) -> str:
    """The text of `server.properties`; paths in it are relative to the broker's folder."""
    clients = f"PLAINTEXT://{ports.bootstrap_servers}"
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.controller}",
        "listeners": f"{clients},CONTROLLER://{LOOPBACK}:{ports.controller}",
        "advertised.listeners": clients,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": "log",
        # Topics are made from the registry, and what is in them stays.
        "auto.create.topics.enable": "false",
        "log.retention.ms": -1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        # After a crash the controller takes the broker back only when its old session is over.
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
        # One machine, few clients: fewer threads, and a sixteenth of the cleaner's 128 MiB.
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
        **(overrides or {}),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def format_command(java: str, files: KafkaFiles, cluster_id: str) -> list[str]:
    """Prepares the log folder; does nothing where that was done before."""
    main = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster_id, "-c", PROPERTIES_FILE)
    return [java, *_flags("64m"), "-cp", files.class_path, *main]


def run_command(java: str, files: KafkaFiles, heap: str) -> list[str]:
    """Runs the broker in the foreground."""
    return [java, *_flags(heap), "-cp", files.class_path, "kafka.Kafka", PROPERTIES_FILE]


def _flags(heap: str) -> list[str]:
    log = [f"-Dorg.slf4j.simpleLogger.{flag}" for flag in _LOG_FLAGS]
    return [f"-Xmx{heap}", *_JVM_FLAGS, *log]
