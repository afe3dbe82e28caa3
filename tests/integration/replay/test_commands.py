"""`hm replay` as people and programs call it; whatever cannot be is one sentence and exit code 2."""

import json
import logging
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hybrid_memory.cli.main import main
from hybrid_memory.local.ports import free_port
from hybrid_memory.replay.store import load_jobs
from hybrid_memory.runtime.kafka import Cluster
from tests.integration.replay.world import ReplayWorld
from tests.stream_process import Known, Manner


@pytest.fixture
def hm(log: ReplayWorld, clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Hm":
    clean_environment.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", log.settings.bootstrap_servers)
    clean_environment.setenv("HM_TOPIC_PREFIX", log.settings.topic_prefix)
    clean_environment.setenv("HM_CLASSIFIER__KIND", "rules")
    clean_environment.setenv("HM_EMBEDDER__KIND", "hash")
    clean_environment.setenv("HM_STREAM__NICE", "0")  # the commands run in this process
    clean_environment.setattr(logging.getLogger(), "handlers", [])
    return Hm(log, clean_environment, capsys)


class Hm:
    """Runs `hm replay` in this process."""

    def __init__(self, log: ReplayWorld, env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.log, self.env, self._capsys = log, env, capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it says: on standard error, in one line, where it refuses."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["replay", *arguments])
        said = self._capsys.readouterr()
        assert ended.value.code == code, (said.out, said.err)
        return said.err if code == 2 else said.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        said = self(*arguments, code=2)
        assert said.startswith("hm: ")
        assert len(said.splitlines()) == 1
        return said


def test_a_job_is_made_worked_on_and_shown(hm: Hm) -> None:
    hm.log.add("tea I drink tea", "jazz I like jazz")
    estimate = hm.json("start", "--dry-run", "--user", "ann")
    assert (estimate["memories"], estimate["generation"], estimate["seconds"]) == (2, 2, None)
    assert hm.json("start", "--dry-run", "--since", "1960-01-01")["memories"] == 2
    assert hm.json("list") == {"replays": []}
    made = hm.json("start", "--detach", "--rate", "500")
    assert (made["state"], made["wanted"], made["ratio"]) == ("waiting", "running", 0.0)
    assert f"waiting for a worker: hm replay work {made['job']}" in hm("show", made["job"])
    assert hm.json("pause", made["job"])["state"] == "paused"
    assert "paused" in hm("show", made["job"])
    assert hm.json("resume", made["job"][-4:])["wanted"] == "running"
    done = hm.json("work", made["job"])
    assert (done["state"], done["classified"], done["skipped"]) == ("done", 2, {})
    assert made["job"] in hm("list")
    assert "outcome" not in hm("show", made["job"])
    assert "one worker takes" in hm("start", "--dry-run", "--rate", "500")
    assert hm.json("start", "--user", "nobody")["skipped"] == {"not meant": 2}
    cancelled = hm.json("start", "--detach", "--shadow")
    assert f"none yet; see hm replay diff {cancelled['job']}" in hm("show", cancelled["job"])
    assert hm.json("cancel", cancelled["job"])["state"] == "cancelled"
    assert hm.json("show", cancelled["job"])["state"] == "cancelled"
    hm("work", cancelled["job"], code=1)
    assert hm.json("delete", cancelled["job"]) == {"deleted": cancelled["job"]}
    assert f"replay {made['job']} is deleted" in hm("delete", made["job"])
    assert cancelled["job"] not in hm("list")


def test_what_cannot_be_is_refused_and_changes_nothing(hm: Hm, tmp_path: Path) -> None:
    for command in ("show", "work", "pause", "resume", "cancel", "delete"):
        assert "there is no replay nobody; hm replay list shows them" in hm.refused(command, "nobody")
    assert "no partition 9; they are 0 to 1" in hm.refused("start", "--partition", "9")
    assert "say which replay, as hm replay list shows it, or --all" in hm.refused("work")
    assert "'3' is not of the form PARTITION:OFFSET" in hm.refused("start", "--from-offset", "3")
    assert "nothing could be between" in hm.refused("start", "--from-offset", "0:5", "--to-offset", "0:5")
    assert "--since is not before --until" in hm.refused("start", "--since", "2026-08-02", "--until", "2026-08-01")
    assert "lies outside the years" in hm.refused("start", "--since", "0001-01-01")
    assert "rate: Input should be a finite number" in hm.refused("start", "--rate", "inf")
    assert "generation: Input should be less than" in hm.refused("start", "--generation", "9999999999")
    assert "sources" in hm.refused("start", "--source", "provided")
    assert "it must be auto, qwen, rules or the URL" in hm.refused("start", "--classifier", "gpt")
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1")
    assert f"taxonomy {bad}" in hm.refused("start", "--taxonomy", str(bad))
    assert f"prompt {bad}" in hm.refused("start", "--prompt", str(bad))
    assert load_jobs(hm.log.settings) == []
    ours = f"{hm.log.settings.topic_prefix}replays.results"
    assert not [name for name in Cluster(hm.log.settings).admin.list_topics(timeout=10).topics if name.startswith(ours)]


def test_a_generation_that_would_lose_is_refused(hm: Hm) -> None:
    hm.log.classify(hm.log.add("tea I drink tea", "jazz I like jazz")[:1], Known(Manner()), generation=3)
    for generation, shadow in product(("2", "3"), ([], ["--shadow"])):
        said = hm.refused("start", "--generation", generation, *shadow)
        assert f"holds facts of generation 3 already, and those of generation {generation} would lose" in said
    assert load_jobs(hm.log.settings) == []
    assert hm.json("start", "--stale", "--generation", "3")["skipped"] == {"has one": 1}
    assert hm.json("start", "--generation", "4")["classified"] == 2
    assert hm.json("start", "--detach")["generation"] == 5


def test_without_its_topics_or_without_kafka_it_is_refused(hm: Hm) -> None:
    hm.env.setenv("HM_TOPIC_PREFIX", f"{hm.log.settings.topic_prefix}none.")
    assert "does not exist; make it with: hm topics apply" in hm.refused("list")
    assert "does not exist; make it with: hm topics apply" in hm.refused("start")
    hm.env.delenv("HM_KAFKA__BOOTSTRAP_SERVERS")
    for arguments in (["list"], ["start"], ["start", "--dry-run"], ["work", "x"], ["pause", "x"], ["delete", "x"]):
        assert "no Kafka is named" in hm.refused(*arguments)


@pytest.mark.slow
def test_a_kafka_that_does_not_answer_is_refused(hm: Hm) -> None:
    hm.env.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    for arguments in (["start"], ["work", "x"]):
        assert "does not answer; nothing was changed" in hm.refused(*arguments)
