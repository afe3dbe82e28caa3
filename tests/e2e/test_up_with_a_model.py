"""`hm up` where a model can be had: rules at once, the model soon after, in place; nothing depends on the stream."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from hybrid_memory.local.ports import free_port
from tests.e2e.programs import Program, environment, hm, run, until
from tests.e2e.test_seed_api import add, search
from tests.tiny_qwen import ANSWERS, tiny_qwen

FIRST, SECOND = [text for text, labels in ANSWERS.items() if labels][:2]


@pytest.fixture
def env(kafka_cache: Path) -> dict[str, str]:
    return environment(HM_CLASSIFIER__MODEL=str(tiny_qwen(kafka_cache)), HM_CLASSIFIER__DEVICE="cpu")


@pytest.mark.model
@pytest.mark.timeout(240)
@pytest.mark.slow
def test_a_memory_is_upgraded_in_place_and_the_stream_may_die(
    env: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    port = free_port()
    command = hm("up", "--port", str(port), "--data-dir", str(folder))
    up = Program.start(command, env, tmp_path / "up.log")
    try:
        until(lambda: not up.running or "Ready after" in up.said, 90, lambda: up.said[-2000:])
        assert re.search(r"classifiers: qwen, since .*tiny-qwen", up.said)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
            reply = add(api, "ada", FIRST)
            assert reply["async_improvement"] is True
            until(lambda: found(api, FIRST)["state"] == "final", 90, lambda: up.said[-2000:])
            check_upgraded(api, FIRST)
            os.kill(stream_of(up).pid, signal.SIGKILL)
            add(api, "ada", SECOND)
            assert found(api, SECOND)["state"] == "provisional"
            assert found(api, SECOND)["classifier_source"] == "heuristic"
            check_upgraded(api, FIRST)
            until(lambda: found(api, SECOND)["state"] == "final", 90, lambda: up.said[-2000:])
            check_upgraded(api, SECOND)
    finally:
        code = up.stop(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in up.said


@pytest.mark.model
def test_who_classifies_and_why(env: dict[str, str]) -> None:
    done = run("classify", "which", env=env)
    assert done.returncode == 0
    assert re.fullmatch(r"qwen, since .*tiny-qwen-\w+.*\n", done.stdout)


def test_without_weights_or_hub_it_is_the_rules(tmp_path: Path) -> None:
    offline = environment(HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    done = run("classify", "which", env=offline)
    assert done.stdout.startswith("rules, since ")
    refused = run("up", "--port", "0", "--data-dir", str(tmp_path / "data"), "--classifier", "qwen", env=offline)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "--classifier rules" in refused.stderr


def found(api: httpx.Client, text: str) -> dict[str, Any]:
    """The memory of this text, as a search shows it."""
    [memory] = [memory for memory in search(api, "ada", text) if memory["text"] == text]
    return dict(memory)


def check_upgraded(api: httpx.Client, text: str) -> None:
    memory = found(api, text)
    assert (memory["state"], memory["classifier_source"]) == ("final", "llm")
    assert tuple(memory["classifiers"]) == ANSWERS[text]
    whole = api.get(f"/v1/users/ada/memories/{memory['memory_id']}").json()
    assert whole["generation"] == 1
    assert whole["provenance"]["model"].startswith("tiny-qwen")


def stream_of(up: Program) -> psutil.Process:
    """The stream's process."""
    children = psutil.Process(up.process.pid).children(recursive=True)
    [stream] = [
        child for child in children if {"classify", "stream"} <= set(child.cmdline()) and child.children() == []
    ]
    return stream
