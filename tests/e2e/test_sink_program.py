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
