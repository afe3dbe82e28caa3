"""`hm up`, as a person uses it: start, add, search, Ctrl-C, start again; with Mem0 the second time."""

import signal
from pathlib import Path

import httpx
import psutil

from hybrid_memory.local.ports import free_port
from tests.e2e.programs import Program, environment, hm, run, until
from tests.e2e.test_refusals import check_refusal
from tests.e2e.test_seed_api import add, search, texts
from tests.integration.mem0.platform import KEY, FakePlatform


def started(folder: Path, port: int, output: Path, **env: str) -> Program:
    """An `hm up` that has said that it is ready."""
    up = Program.start(hm("up", "--port", str(port), "--data-dir", str(folder)), environment(**env), output)
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

    with FakePlatform().running() as mem0:
        named = {"HM_MEM0__API_KEY": KEY, "HM_MEM0__URL": mem0.url, "HM_MEM0__FEED_SECONDS": "0.2"}
        again = started(folder, port, tmp_path / "second.log", **named, HM_MEM0__PORT=str(free_port()))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
            assert texts(search(api, "ada", "ramen")) == ["I love the ramen place near the station"]
            check_mem0_arrives(mem0, api, again)
        stopped(again)


def check_mem0_arrives(mem0: FakePlatform, api: httpx.Client, up: Program) -> None:
    """What is added, changed and deleted in Mem0 is so in search, nothing else being started."""

    def becomes(found: list[str]) -> None:
        until(lambda: texts(search(api, "maya", "Where does she live?")) == found, 30, lambda: up.said[-2000:])

    memory_id = mem0.store.add("Lives in Oslo", {"user_id": "maya"})["id"]
    becomes(["Lives in Oslo"])
    mem0.store.change(memory_id, memory="Lives in Lisbon")
    becomes(["Lives in Lisbon"])
    mem0.store.delete(memory_id)
    becomes([])
