"""What a broker's folder remembers between runs: its ports, and the process that ran last."""

import json
from collections.abc import Mapping
from pathlib import Path

from hybrid_memory.local.broker_config import Ports
from hybrid_memory.local.ports import free_port, port_is_free, wait_until_free
from hybrid_memory.runtime.errors import Refusal

STATE_FILE = "broker.json"


def planned_port(data_dir: Path) -> int:
    """The port that a broker on `data_dir` would take now: the last one where it is free, else a new one."""
    return choose_ports(None, read_state(data_dir)).broker


def choose_ports(wanted: int | None, state: Mapping[str, object]) -> Ports:
    """`wanted`, or else the ports of the last run where they are free, or else new ones.

    Raises:
        Refusal: `wanted` is taken.
    """
    # After a crash the port is let go a moment after the process.
    if wanted is not None and not wait_until_free(wanted, 3.0):
        raise Refusal(f"port {wanted} of 127.0.0.1 is taken by another program; stop that one, or give another port")
    broker = wanted or _last_or_free(state.get("port"))
    controller = _last_or_free(state.get("controller_port"))
    while controller == broker:
        controller = free_port()
    return Ports(broker, controller)


def read_state(data_dir: Path) -> dict[str, object]:
    """What `write_state` wrote; empty where there is nothing readable."""
    try:
        state = json.loads((data_dir / STATE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(data_dir: Path, ports: Ports, pid: int) -> None:
    """Remember a run; whole or not at all."""
    new = data_dir / f"{STATE_FILE}.new"
    new.write_text(json.dumps({"port": ports.broker, "controller_port": ports.controller, "pid": pid}, indent=2) + "\n")
    new.replace(data_dir / STATE_FILE)


def _last_or_free(last: object) -> int:
    return last if isinstance(last, int) and port_is_free(last) else free_port()
