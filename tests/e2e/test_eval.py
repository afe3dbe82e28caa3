"""`hm eval`, with the light embedder: it loads, asks both ways, says what came of it, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from tests.e2e.programs import environment, run

PEOPLE = [
    {
        "user_id": name,
        "memories": [{"id": str(n), "text": f"I saw film {n} with {name}"} for n in range(12)],
        "queries": [{"text": f"film {n}", "relevant": [str(n)]} for n in range(4)],
    }
    for name in ("ada", "bob/x")
]


@pytest.mark.slow
def test_everything_is_asked_both_ways_and_cleaned_up(tmp_path: Path, kafka_cache: Path) -> None:
    file, out, temporary = tmp_path / "questions.json", tmp_path / "out.json", tmp_path / "tmp"
    file.write_text(json.dumps(PEOPLE))
    temporary.mkdir()
    done = run("eval", str(file), "--json", "--out", str(out), env=environment(TMPDIR=str(temporary)), timeout=100)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == json.loads(out.read_text())
    assert (said["users"], said["memories"], said["questions"]) == (2, 24, 8)
    assert set(said["measures"]) == {"recall@5", "recall@10", "nDCG@10", "MRR@10"}
    for both in said["measures"].values():
        for interval in both.values():
            assert interval["low"] <= interval["mean"] <= interval["high"]
    assert said["measures"]["MRR@10"]["without"]["mean"] > 0.9  # each film's number stands in one memory alone
    assert list(temporary.iterdir()) == []


def test_a_wrong_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = run("eval", str(tmp_path / "none.json"), env=environment(), timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.json: No such file" in done.stderr
