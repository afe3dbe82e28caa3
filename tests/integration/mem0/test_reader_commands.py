"""`hm mem0 sync` and `hm mem0 follow`, as people run them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from hybrid_memory.mem0.sync_command import parse_interval
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings
from tests.e2e.programs import Program, environment, hm, run
from tests.e2e.test_refusals import check_refusal
from tests.integration.mem0.logs import bookmarks, hints, memories
from tests.integration.mem0.platform import KEY, FakePlatform
from tests.integration.mem0.world import until


@pytest.fixture
def env(settings: Settings, platform: FakePlatform) -> dict[str, str]:
    names = {"HM_TOPIC_PREFIX": settings.topic_prefix, "HM_KAFKA__BOOTSTRAP_SERVERS": settings.bootstrap_servers}
    return environment(**names, HM_MEM0__API_KEY=KEY, HM_MEM0__URL=platform.url, HM_MEM0__FEED_SECONDS="0.05")


def test_a_dry_run_shows_and_a_run_mends(platform: FakePlatform, settings: Settings, env: dict[str, str]) -> None:
    ids = [platform.store.add(f"note {number}", {"user_id": "maya"})["id"] for number in range(3)]
    dry = run("mem0", "sync", "--dry-run", "--limit", "2", env=env)
    assert dry.returncode == 0, dry.stderr
    assert sum(memory_id in dry.stdout for memory_id in ids) == 2
    assert "and 1 more" in dry.stdout
    assert "3 missing, 0 different, 0 gone; nothing was changed" in dry.stdout
    assert hints(settings) == []
    done = run("mem0", "sync", "--json", env=env)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["listed"], said["missing"], said["hinted"]) == (3, 3, 3)
    assert said["published"] == {"published": 3, "deleted": 0, "unchanged": 0, "dead": 0}
    assert {memory.memory_id for memory in memories(settings).values()} == set(ids)


def test_watching_goes_on_until_told(
    platform: FakePlatform, settings: Settings, env: dict[str, str], tmp_path: Path
) -> None:
    watching = Program.start(hm("mem0", "sync", "--watch", "1s", "--no-publish"), env, tmp_path / "said")
    until(lambda: "0 missing" in watching.said)
    added = platform.store.add("new", {"user_id": "maya"})["id"]
    until(lambda: [hint.mem0_id for hint in hints(settings)] == [added])
    assert watching.stop() == 0, watching.said


def test_following_goes_on_until_told(
    platform: FakePlatform, settings: Settings, env: dict[str, str], tmp_path: Path
) -> None:
    following = Program.start(hm("mem0", "follow"), env, tmp_path / "said")
    until(lambda: bookmarks(settings), why=lambda: following.said)
    added = platform.store.add("new", {"user_id": "maya"})["id"]
    until(lambda: [hint.mem0_id for hint in hints(settings)] == [added])
    assert following.stop() == 0, following.said


@pytest.mark.parametrize("command", ["sync", "follow"])
def test_a_wrong_key_is_one_sentence(env: dict[str, str], command: str) -> None:
    done = run("mem0", command, env={**env, "HM_MEM0__API_KEY": "m0-wrong"})
    check_refusal(done, "does not accept the API key", "HM_MEM0__API_KEY")
    assert "m0-wrong" not in done.stdout + done.stderr


def test_a_platform_that_is_away_is_one_sentence(env: dict[str, str]) -> None:
    check_refusal(run("mem0", "sync", env={**env, "HM_MEM0__URL": "http://127.0.0.1:9"}), "does not answer")


def test_an_interval_is_a_number_and_a_unit() -> None:
    assert parse_interval("10m") == timedelta(minutes=10)
    assert parse_interval(" 1d ") == timedelta(days=1)
    for wrong in ("", "10", "m", "0s", "-1s", "1.5h", "1w"):
        with pytest.raises(Refusal, match="is no interval; write one such as"):
            parse_interval(wrong)
