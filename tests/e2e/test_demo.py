"""`hm demo`: all as promised with the real model, plain words where not, and nothing left behind."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from hybrid_memory.demo import SEARCHES, load_life
from tests.e2e.programs import Program, environment, hm, run, until
from tests.tiny_qwen import tiny_qwen


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The demo's temporary folder goes into the test's; another Kafka that is named is not for the demo."""
    return environment(TMPDIR=str(tmp_path), COLUMNS="80", HM_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_all_six_searches_show_what_they_promise(env: dict[str, str], tmp_path: Path) -> None:
    done = run("demo", "--json", env={**env, "HM_EMBEDDER__KIND": "sentence-transformers"}, timeout=150)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["kept"] is True
    assert [(search["title"], search["broken"]) for search in said["searches"]] == [(s.title, []) for s in SEARCHES]
    for search in said["searches"]:
        scores = [hit["score"] for hit in search["hits"]]
        assert scores == sorted(scores, reverse=True)
        assert search["ms"] > 0
    _check_numbers(said)
    _nothing_is_left(tmp_path)


def _check_numbers(said: dict[str, Any]) -> None:
    timings = said["timings"]
    assert [write["memory_id"] for write in said["writes"]] == [step.memory_id for step in load_life()]
    for write in said["writes"]:
        assert 0 < write["durable_ms"] < write["searchable_ms"]
    assert timings["searchable"]["count"] == len(load_life())
    assert timings["searchable"]["p50"] <= timings["searchable"]["p99"] <= timings["searchable"]["slowest"]
    assert 0 < timings["search"]["embedder_share"] <= 1
    assert 0 < timings["kafka_ready_s"] < timings["ready_s"] < timings["total_s"]
    assert set(said["versions"]) == {"hybrid_memory", "kafka", "embedding_model", "python"}


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(180)
def test_a_memory_is_shown_before_and_after_its_upgrade(env: dict[str, str], kafka_cache: Path) -> None:
    done = run("demo", env={**env, "HM_CLASSIFIER__MODEL": str(tiny_qwen(kafka_cache))}, timeout=150)
    assert done.stderr == ""
    assert re.search(r"4  Upgrade .*\n(.*\n)+.* at once, by rules +career\n.* after [\d.]+ s, by \S", done.stdout)
    assert "5  Numbers" in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


@pytest.mark.slow
def test_it_says_plainly_what_a_search_does_not_show(env: dict[str, str], tmp_path: Path) -> None:
    """The hashing embedder knows no paraphrase."""
    done = run("demo", env=env, timeout=100)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "'peanuts' should" in done.stdout
    assert "searches do not show what they promise: Paraphrase" in done.stdout
    assert "✓ nothing: Noah never sees what Maya said" in done.stdout
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if len(line) > 80 or line != line.rstrip()] == []
    _nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("asked", "when"),
    [
        (signal.SIGINT, "Kafka is starting"),
        pytest.param(signal.SIGTERM, "has its topics", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "3  Search", marks=pytest.mark.slow),
    ],
)
def test_it_can_be_stopped_at_any_time(asked: signal.Signals, when: str, env: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path.parent / f"{tmp_path.name}-said.txt"
    program = Program.start(hm("demo"), env, output)
    until(lambda: when in program.said, 60, lambda: program.said)
    assert _processes_of(tmp_path) or when == "Kafka is starting"  # which may be a moment before they are
    program.process.send_signal(asked)
    assert program.process.wait(40) == 130, program.said
    assert program.said.endswith("stopped; nothing of the demo is left\n")
    assert "Traceback" not in program.said
    _nothing_is_left(tmp_path)


def _nothing_is_left(folder: Path) -> None:
    assert _processes_of(folder) == []
    assert os.listdir(folder) == []


def _processes_of(folder: Path) -> list[str]:
    """The processes that were given a folder within this one."""
    return [process.name() for process in psutil.process_iter() if _is_of(process, folder)]


def _is_of(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.environ().get("HM_DATA_DIR", "").startswith(str(folder))
    except psutil.Error:
        return False
