"""`hm sink` as people run it; the server that it needs is away."""

from pathlib import Path

import httpx

from hybrid_memory.local.ports import free_port
from tests.e2e.programs import Program, environment, hm, run, until


def test_without_a_server_there_is_nothing_to_feed() -> None:
    done = run("sink", env=environment(HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1"))
    assert done.returncode == 2
    assert "none is named (--qdrant-url)" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_on_a_server_is_not_reset_here(tmp_path: Path) -> None:
    done = run("index", "reset", env=environment(HM_QDRANT__URL="http://127.0.0.1:1", HM_DATA_DIR=str(tmp_path)))
    assert done.returncode == 2
    assert "delete the collection memories" in done.stderr


def test_it_does_not_stand_open_and_its_metrics_need_a_key(tmp_path: Path) -> None:
    env = environment(HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1", HM_DATA_DIR=str(tmp_path))
    command = ("sink", "--qdrant-url", "http://127.0.0.1:1", "--port")
    done = run(*command, "0", "--host", "0.0.0.0", env=env)
    assert done.returncode == 2
    assert "listening on 0.0.0.0 would let anybody" in done.stderr
    key = run("keys", "create", "prometheus", "--scope", "admin", "--all-users", env=env)
    assert key.returncode == 0, key.stderr
    port = free_port()
    program = Program.start(hm(*command, str(port)), env, tmp_path / "sink.log")

    def status(path: str) -> int:
        assert program.running, program.said
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}").status_code
        except httpx.TransportError:
            return 0

    try:
        until(lambda: status("/livez") == 200, 60, lambda: program.said)
        assert status("/metrics") == 401
    finally:
        assert program.stop() == 0


def test_it_waits_for_a_server_that_is_away_and_stops_when_told(tmp_path: Path) -> None:
    port, nobody = free_port(), free_port()
    env = environment(
        HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1",
        HM_QDRANT__API_KEY="the-key-nobody-may-see",
        HM_QDRANT__GRPC_PORT=str(nobody),
    )
    command = hm("sink", "--qdrant-url", f"http://127.0.0.1:{nobody}", "--port", str(port))
    program = Program.start(command, env, tmp_path / "sink.log")

    def says() -> str:
        assert program.running, program.said
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").text
        except httpx.TransportError:
            return ""

    try:
        until(lambda: "does not answer" in says(), 90, says)
        assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
        assert "hm_build_info" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    finally:
        assert program.stop() == 0
    assert "the-key-nobody-may-see" not in program.said
    assert "Traceback" not in program.said
