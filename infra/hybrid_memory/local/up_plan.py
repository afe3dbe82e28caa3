"""What `hm up` starts, decided before anything is started."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid_memory.local.broker_state import planned_port
from hybrid_memory.local.child import Child
from hybrid_memory.local.decision import Decision
from hybrid_memory.local.ports import LOOPBACK, free_port, port_is_free
from hybrid_memory.runtime.access.identify import make_identifier
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Mem0Settings, Settings, SinkSettings, StreamSettings

BROKER = "broker"
SERVE = "serve"
SINK = "sink"
CLASSIFY = "classify"
MEM0_PUBLISH, MEM0_FOLLOW = "mem0", "mem0-feed"
_BOOTSTRAP = "HM_KAFKA__BOOTSTRAP_SERVERS"
_EXPECT_STREAM = "HM_EXPECT_STREAM"
_ANY_ADDRESS = {"0.0.0.0", "::", ""}


@dataclass(frozen=True, slots=True)
class Plan:
    """The processes of one machine and where they are reached."""

    data_dir: Path
    bootstrap_servers: str
    broker_port: int | None
    """None: Kafka is somebody else's."""
    url: str
    children: tuple[Child, ...]
    classifier: Decision
    guarded: bool = False
    """Whether the API asks for a key or a token."""


def make_plan(settings: Settings, classifier: Decision) -> Plan:
    """Choose ports and put the command lines together.

    Raises:
        Refusal: the HTTP port is taken, or strangers would reach it.
    """
    guarded = make_identifier(settings, settings.http.host).guarded
    data_dir = settings.data_dir.absolute()
    http_port = settings.http.port or free_port()
    if not port_is_free(http_port, settings.http.host):
        raise Refusal(
            f"port {http_port} of {settings.http.host} is taken by another program; stop that one, or give another "
            f"port with --port"
        )
    broker_port = None if settings.kafka.get("bootstrap.servers") else planned_port(broker_folder(data_dir))
    servers = f"{LOOPBACK}:{broker_port}" if broker_port else settings.bootstrap_servers
    env = {_BOOTSTRAP: servers, "HM_DATA_DIR": str(data_dir), "HM_HTTP__PORT": str(http_port)}
    if settings.log.format == "auto":  # their lines get a name in front: no program could read them as JSON
        env["HM_LOG__FORMAT"] = "text"
    # Started in this order, stopped in the reverse of it: the broker goes when nobody needs it any more.
    broker = (Child(BROKER, hm("broker", "run", "--port", str(broker_port)), env),) if broker_port else ()
    expecting = {**env, _EXPECT_STREAM: str(classifier.by_a_model).lower()}
    sink = (Child(SINK, hm("sink", "--port", str(_port(settings.sink))), expecting),) if settings.qdrant.url else ()
    serve = Child(SERVE, hm("serve"), expecting)
    stream = (_stream(settings, env),) if classifier.by_a_model else ()
    children = (*broker, *sink, serve, *stream, *_mem0(settings, env))
    host = LOOPBACK if settings.http.host in _ANY_ADDRESS else settings.http.host
    return Plan(data_dir, servers, broker_port, f"http://{host}:{http_port}", children, classifier, guarded)


def _stream(settings: Settings, env: Mapping[str, str]) -> Child:
    """Inserts and searches need nothing of the stream: where it cannot run, the rest does."""
    port = _port(settings.stream)
    return Child(CLASSIFY, hm("classify", "stream", "--port", str(port)), env, essential=False)


def _mem0(settings: Settings, env: Mapping[str, str]) -> tuple[Child, ...]:
    """What takes over Mem0's changes, where one is named. The rest needs nothing of it."""
    if settings.mem0.api_key is None:
        return ()
    publish = hm("mem0", "publish", "--port", str(_port(settings.mem0)))
    return (
        Child(MEM0_PUBLISH, publish, env, essential=False),
        Child(MEM0_FOLLOW, hm("mem0", "follow"), env, essential=False),
    )


def _port(probes: SinkSettings | StreamSettings | Mem0Settings) -> int:
    """Where its probes are to listen, or any that is free where somebody has that."""
    return probes.port if not probes.port or port_is_free(probes.port, probes.host) else free_port()


def broker_folder(data_dir: Path) -> Path:
    """Where the broker of a data folder keeps its log."""
    return data_dir / "kafka"


def hm(*arguments: str) -> tuple[str, ...]:
    """The command line of an `hm` command, run by this Python."""
    return (sys.executable, "-m", "hybrid_memory.cli", *arguments)


def for_all(bootstrap_servers: str | None = None, classifier: str | None = None) -> None:
    """What the command line says, where it does, for this process and its children."""
    if bootstrap_servers:
        os.environ[_BOOTSTRAP] = bootstrap_servers
    if classifier:
        os.environ["HM_CLASSIFIER__KIND"] = classifier
