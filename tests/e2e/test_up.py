"""`hm up`, as a person uses it: start, add, search, Ctrl-C, start again."""

import signal
from pathlib import Path

import httpx
import psutil

from hybrid_memory.local.ports import free_port
from tests.e2e.programs import Program, environment, hm, run, until
from tests.e2e.test_refusals import check_refusal
from tests.e2e.test_seed_api import add, search, texts


def started(folder: Path, port: int, output: Path) -> Program:
    """An `hm up` that has said that it is ready."""
    up = Program.start(hm("up", "--port", str(port), "--data-dir", str(folder)), environment(), output)
    until(lambda: not up.running or "Ready after" in up.said, 60, lambda: up.said[-2000:])
    assert up.running, up.said
    return up


def stopped(up: Program) -> None:
    """Ctrl-C ends it with 0, and leaves no process behind."""
    family = psutil.Process(up.process.pid).children(recursive=True)
    assert any(process.name().startswith("java") for process in family)
    assert up.stop(signal.SIGINT) == 0
    _, left = psutil.wait_procs(family, timeout=5)
    assert left == []
    assert "Traceback" not in up.said


def test_up_from_start_to_stop_and_again(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    up = started(folder, port, tmp_path / "first.log")
    assert f"http://127.0.0.1:{port}" in up.said
    assert up.said.count("  curl ") == 3, "three commands to copy"
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
        add(api, "ada", "I love the ramen place near the station")
        assert texts(search(api, "ada", "ramen")) == ["I love the ramen place near the station"]
    check_refusal(run("up", "--port", "0", "--data-dir", str(folder), env=environment()), str(folder), "in use")
    stopped(up)

    again = started(folder, port, tmp_path / "second.log")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
        assert texts(search(api, "ada", "ramen")) == ["I love the ramen place near the station"]
    stopped(again)
