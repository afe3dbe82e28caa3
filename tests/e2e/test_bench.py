"""`hm bench`, tiny and without a model: it measures everything, says so, and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_memory.bench.run import NAMES


def hm_bench(*arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HM_") or name == "HM_CACHE_DIR"}
    return subprocess.run(
        [sys.executable, "-m", "hybrid_memory.cli", "bench", *arguments],
        env=kept | env, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_everything_is_measured_and_cleaned_up(tmp_path: Path, kafka_cache: Path) -> None:
    texts, out, temporary = tmp_path / "texts.txt", tmp_path / "out.json", tmp_path / "tmp"
    texts.write_text("\n".join(f"I had dish number {number} with Anna" for number in range(40)))
    temporary.mkdir()
    # A topic prefix of the person's is none of the throw-away system's business.
    env = {"HM_EMBEDDER__KIND": "hash", "HM_TOPIC_PREFIX": "mine.", "TMPDIR": str(temporary)}
    done = hm_bench("--texts", str(texts), "--out", str(out), "--samples", "2", "--sizes", "20,30", "--json", env=env)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert json.loads(out.read_text()) == result
    assert result["texts"] == {"from": "texts.txt", "different": 40, "seed": 7}
    names = [figure["name"].strip() for figure in result["figures"]]
    assert names.count("search with classifiers") == names.count("one memory, until searchable") == 2
    assert {"32 clients insert singly", "batches of 100 over HTTP", "memory of serve"} <= set(names)
    assert all(figure["value"] > 0 for figure in result["figures"])
    assert list(temporary.iterdir()) == []


def test_a_file_that_cannot_be_read_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = hm_bench("--texts", str(tmp_path / "none.csv"), env={})
    assert done.returncode == 2
    assert "none.csv: No such file" in done.stderr
    assert "starting" not in done.stderr


def test_the_command_offers_what_there_is() -> None:
    from hybrid_memory.bench.commands import Name

    assert {name.value for name in Name} == set(NAMES)
