"""Shadow, diff, promote, revert: on the real broker, with a real sink whose index says what came of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybrid_memory.classifier.ruled import RuleClassifier
from hybrid_memory.classifier.rules import default_rules
from hybrid_memory.cli.main import main
from hybrid_memory.index.points import Point
from hybrid_memory.replay import emit as emit_module
from hybrid_memory.replay.diff import compare
from hybrid_memory.replay.job import Job
from hybrid_memory.replay.promote import promote
from hybrid_memory.replay.revert import revert
from hybrid_memory.replay.starting import ReplayRequest, start_replay
from hybrid_memory.replay.store import find_job, want
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.settings import SinkSettings
from hybrid_memory.schemas import MEMORIES, memory_key
from hybrid_memory.schemas.replays import ReplayFilters
from tests.e2e.programs import until
from tests.integration.replay.world import ReplayWorld
from tests.integration.sink.world import Running
from tests.stream_process import Manner, answer

RULES = RuleClassifier(default_rules())
SELDOM = SinkSettings(flush_seconds=600)  # a flush holds the whole process while the disk is slow
SHADOW = ReplayRequest(shadow=True)
TEXTS = ("tea I drink green tea", "jazz I listen to jazz music", "oslo I moved to Oslo", "rex My dog is called Rex")


def labels(sink: Running) -> dict[str, tuple[tuple[str, ...], int]]:
    """What the index shows of each memory: classifiers and generation."""
    sink.settle()
    keys = [memory_key("ann", text.split()[0]) for text in (*TEXTS, "own")]
    found: list[Point] = [stored.point for stored in sink.store.get(keys).values()]
    return {it.memory.memory_id: (it.classifiers, it.generation) for it in found if it.memory is not None}


def test_a_shadow_is_compared_promoted_and_taken_back(log: ReplayWorld) -> None:
    positions = log.add(*TEXTS)
    log.classify(positions[:2], RULES)
    log.add("own I was tagged", classifiers=("mine",))
    with log.world.sink(sink=SELDOM) as sink:
        before = labels(sink)
        job = log.replay(SHADOW)
        assert labels(sink) == before

        found = compare(log.settings, job.id)
        assert (found.churn.memories, found.churn.changed) == (4, 4)
        assert {change.after for change in found.examples} == {answer(text) for text in TEXTS}
        assert {it.memory_id: it.before for it in found.examples} == {
            it: before[it][0] for it in ("tea", "jazz", "oslo", "rex")
        }
        assert {by for (by, _), _ in found.churn.makers} == {
            f"rules, taxonomy {RULES.maker.taxonomy}",
            f"rules, taxonomy {RULES.maker.taxonomy}, generation 1",
        }

        log.add("oslo I moved to Rome")
        log.delete("rex")
        newer = labels(sink)
        outcome = promote(log.settings, job.id)
        assert (outcome.state, outcome.generation, outcome.emitted) == ("promoted", 2, 2)
        assert outcome.left == {"changed later": 2}
        promoted = {text.split()[0]: (answer(text), 2) for text in TEXTS[:2]}
        assert labels(sink) == newer | promoted

        again = promote(log.settings, job.id)
        assert (again.emitted, again.left) == (outcome.emitted, outcome.left)
        assert [len(same) for same in log.facts(2).values()] == [1, 1]

        log.add("jazz I listen to jazz no more")
        newer = labels(sink)
        outcome = revert(log.settings, job.id)
        assert (outcome.state, outcome.generation, outcome.emitted) == ("reverted", 3, 1)
        assert outcome.left == {"changed later": 3}
        assert labels(sink) == newer | {"tea": (before["tea"][0], 3)}
        shown = sink.point("tea").provenance
        assert shown is not None
        assert dict(shown) == dict(log.facts(3)["tea"][0].provenance)
        assert find_job(log.settings, job.id).outcome == outcome

        again = revert(log.settings, job.id)
        assert (again.generation, again.emitted, again.left) == (3, outcome.emitted, outcome.left)
        assert [len(same) for same in log.facts(3).values()] == [1]
        with pytest.raises(Refusal, match="was reverted; start another"):
            promote(log.settings, job.id)
        assert log.replay().definition.generation == 4


def test_a_live_replay_is_taken_back_where_nothing_came_after_it(log: ReplayWorld) -> None:
    log.classify(log.add(*TEXTS)[:1], RULES)
    with log.world.sink(sink=SELDOM) as sink:
        before = labels(sink)
        job = log.replay()
        assert labels(sink)["tea"] == (answer(TEXTS[0]), 2)
        later = log.replay(ReplayRequest(filters=keys("ann/jazz")))
        with pytest.raises(Refusal, match="is no shadow: what it finds is live already"):
            promote(log.settings, job.id)
        outcome = revert(log.settings, job.id)
        assert (outcome.emitted, outcome.generation, outcome.left) == (3, 4, {"replaced since": 1})
        assert labels(sink) == {
            "tea": (before["tea"][0], 4),
            "jazz": (answer(TEXTS[1]), later.definition.generation),
            "oslo": (before["oslo"][0], 4),
            "rex": (before["rex"][0], 4),
        }


def keys(*wanted: str) -> ReplayFilters:
    return ReplayFilters(keys=wanted)


class Cut(BaseException):
    """The process died here."""


def cut_after(facts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an emission die when so many facts are durable."""

    @contextmanager
    def shown(what: str, total: int) -> Iterator[Callable[[int], None]]:
        def show(done: int) -> None:
            if done == facts:
                raise Cut

        yield show

    monkeypatch.setattr(emit_module, "_CHUNK", 1)
    monkeypatch.setattr(emit_module, "shown", shown)


def test_what_was_cut_off_goes_on_and_says_nothing_twice(log: ReplayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    log.add(*TEXTS)
    job = log.replay(SHADOW)
    with monkeypatch.context() as cut:
        cut_after(3, cut)
        with pytest.raises(Cut):
            promote(log.settings, job.id)
    half = find_job(log.settings, job.id).outcome
    assert half is not None
    assert half.state == "promoting"
    outcome = promote(log.settings, job.id)
    assert (outcome.emitted, outcome.left) == (4, {})
    assert [len(same) for same in log.facts(2).values()] == [1, 1, 1, 1]

    with monkeypatch.context() as cut:
        cut_after(1, cut)
        with pytest.raises(Cut):
            revert(log.settings, job.id)
    log.replay(ReplayRequest(filters=keys("ann/no-such")))  # takes a generation
    outcome = revert(log.settings, job.id)
    assert (outcome.generation, outcome.emitted, outcome.left) == (3, 4, {})
    assert [len(same) for same in log.facts(3).values()] == [1, 1, 1, 1]


def test_the_gate_lets_through_what_changes_little(log: ReplayWorld) -> None:
    log.add(*TEXTS)
    job = log.replay(SHADOW)
    with pytest.raises(Refusal, match=r"changes 100\.00 % of its memories \(4 of 4\), more than the 99\.9 %"):
        promote(log.settings, job.id, 99.9)
    for wrong in (-1, 101, float("nan")):
        with pytest.raises(Refusal, match="--max-churn takes percent"):
            promote(log.settings, job.id, wrong)
    assert find_job(log.settings, job.id).outcome is None
    assert log.facts(2) == {}
    assert promote(log.settings, job.id, 100).emitted == 4


def test_searches_are_compared_by_the_code_of_the_search_api(log: ReplayWorld, tmp_path: Path) -> None:
    log.add(*TEXTS, *(f"n{n} note {n} of a dozen" for n in range(8)))
    job = log.replay(SHADOW)
    queries = tmp_path / "queries.json"
    asked = [{"text": "green tea"}, {"text": "Where did I move to?"}]
    queries.write_text(json.dumps([{"user_id": "ann", "queries": asked}, {"user_id": "eve", "queries": asked[:1]}]))
    found = compare(log.settings, job.id, queries=queries)
    assert found.searches is not None
    by_query = {(it.user_id, it.query): it for it in found.searches}
    tea = by_query["ann", "green tea"]
    assert tea.before[0] == tea.after[0] == "tea"
    assert len(tea.before) == len(tea.after) == 10
    assert tea.texts["tea"] == TEXTS[0]
    assert by_query["eve", "green tea"].overlap == 1.0
    assert found.overlap is not None
    assert 0.5 < found.overlap <= 1


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a command that exits with 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["replay", *arguments])
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    assert said.startswith("hm: ")
    assert "Traceback" not in said
    return said.removeprefix("hm: ").strip()


def test_what_cannot_be_done_is_refused_in_a_sentence(
    log: ReplayWorld, clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    as_set_in(log, clean_environment)
    for command in ("diff", "promote", "revert"):
        assert refused(capsys, command, "nope") == "there is no replay nope; hm replay list shows them"
    log.add("tea I drink tea")
    job = log.replay(SHADOW)
    assert "never promoted" in refused(capsys, "revert", job.id)
    html, missing = tmp_path / "report.html", tmp_path / "no" / "report.html"
    assert "cannot read" in refused(capsys, "diff", job.id, "--html", str(html), "--queries", str(missing))
    assert "cannot write" in refused(capsys, "diff", job.id, "--html", str(missing))
    queries = tmp_path / "queries.json"
    for content, says in (("{", "Invalid JSON"), ("[]", "at least 1"), ('[{"user_id": "a", "queries": []}]', "asks")):
        queries.write_text(content)
        assert says in refused(capsys, "diff", job.id, "--queries", str(queries))
    assert not html.exists()

    half = unfinished(log)
    assert "is not done (0%)" in refused(capsys, "promote", half.id)
    log.world.publisher.close()
    delete_topic(log, f"replays.results.{job.id}")
    for command in ("diff", "promote"):
        assert "does not exist any more" in refused(capsys, command, job.id)
    delete_topic(log, MEMORIES)
    assert "does not exist" in refused(capsys, "promote", job.id)
    delete_topic(log, "replays")
    for command in ("diff", "promote", "revert"):
        assert refused(capsys, command, job.id).endswith("replays does not exist; make it with: hm topics apply")
    clean_environment.delenv("HM_KAFKA__BOOTSTRAP_SERVERS")
    for command in ("diff", "promote", "revert"):
        assert refused(capsys, command, job.id).startswith("no Kafka is named")


def test_diff_prints_a_table_json_and_a_report(
    log: ReplayWorld, clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    as_set_in(log, clean_environment)
    log.add(*TEXTS)
    job = log.replay(SHADOW, Manner())
    html = tmp_path / "report.html"
    for arguments, says in (
        (["diff", job.id, "--html", str(html)], "100 % churn: 4 of 4 memories get other classifiers, of 1 of 1 user"),
        (["diff", job.id, "--json"], '"churn": 1.0'),
        (["promote", job.id], f"replay {job.id} is promoted: 4 facts of generation 2"),
        (["revert", job.id, "--json"], '"state": "reverted"'),
        (["show", job.id], "reverted: 4 facts of generation 3"),
        (["show", job.id, "--json"], '"state": "reverted"'),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["replay", *arguments])
        out, said = capsys.readouterr()
        assert (ended.value.code, says in out) == (0, True), out + said
    assert job.id in html.read_text()


def as_set_in(log: ReplayWorld, environment: pytest.MonkeyPatch) -> None:
    """Have commands work in this world."""
    environment.setenv("HM_KAFKA__BOOTSTRAP_SERVERS", log.settings.bootstrap_servers)
    environment.setenv("HM_TOPIC_PREFIX", log.settings.topic_prefix)
    environment.setenv("HM_DATA_DIR", str(log.settings.data_dir))
    environment.setenv("HM_EMBEDDER__KIND", "hash")


def unfinished(log: ReplayWorld) -> Job:
    """A shadow that nobody has worked on."""
    return start_replay(log.settings, SHADOW)


def delete_topic(log: ReplayWorld, name: str) -> None:
    cluster, full = Cluster(log.settings), log.settings.topic_prefix + name
    [future] = cluster.admin.delete_topics([full]).values()
    cluster.result(future)
    until(lambda: full not in cluster.topics([full]), 20)


def test_a_replay_that_still_runs_is_not_reverted(log: ReplayWorld) -> None:
    log.add("tea I drink tea")
    job = start_replay(log.settings, ReplayRequest())
    with pytest.raises(Refusal, match=r"is not done \(0%\); let it finish, or: hm replay cancel"):
        revert(log.settings, job.id)
    want(log.settings, find_job(log.settings, job.id), "cancelled")
    assert revert(log.settings, job.id).emitted == 0
