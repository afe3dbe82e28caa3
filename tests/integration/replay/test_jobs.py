"""Jobs as resources: workers share them, operators pause, resume and cancel them, and a month later they go on."""

import sys
import threading
import time
from pathlib import Path

import pytest

from hybrid_memory.replay import redriving
from hybrid_memory.replay.delete import delete
from hybrid_memory.replay.job import Job, now
from hybrid_memory.replay.results import drop_results, results_info
from hybrid_memory.replay.revert import revert
from hybrid_memory.replay.run import work
from hybrid_memory.replay.starting import ReplayRequest, start_replay
from hybrid_memory.replay.store import find_job, load_jobs, tell, want
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.schemas import CLASSIFIED, MEMORIES
from hybrid_memory.schemas.replays import (
    REPLAYS,
    ReplayFilters,
    ReplayOutcome,
    ReplayProgress,
    ReplayStatus,
    results_topic,
)
from tests.e2e.programs import ROOT, Program, environment, until
from tests.integration.replay.world import ReplayWorld, known, make_topics, replay_world
from tests.stream_process import Manner, answer


class Hand(threading.Thread):
    """A worker in a thread."""

    def __init__(self, log: ReplayWorld, job: str, manner: Manner) -> None:
        super().__init__(daemon=True)
        self._log, self._job, self._manner = log, job, manner
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            work(self._log.settings, self._job, known(self._manner))
        except BaseException as error:
            self.error = error


def paused_in_the_middle(log: ReplayWorld) -> tuple[Job, Hand]:
    """A job of what is in the log, and its worker, which has begun with it and waits."""
    job = start_replay(log.settings, ReplayRequest())
    worker = Hand(log, job.id, Manner(batch_size=4, rate=50))
    worker.start()
    until(lambda: find_job(log.settings, job.id).progress, 20)
    want(log.settings, job, "paused")
    until(lambda: "paused" in states(find_job(log.settings, job.id)), 10)
    return job, worker


def test_two_workers_share_a_job_and_heed_its_operator(log: ReplayWorld) -> None:
    log.add(*(f"m{number} text" for number in range(160)))
    job = start_replay(log.settings, ReplayRequest())
    workers = [Hand(log, job.id, Manner(batch_size=4, rate=50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    until(lambda: len(find_job(log.settings, job.id).progress) == 2, 20, lambda: str([w.error for w in workers]))
    want(log.settings, job, "paused")
    until(lambda: states(find_job(log.settings, job.id)) == {"paused"}, 10)
    before = find_job(log.settings, job.id)
    assert before.state(now()) == "paused"
    time.sleep(0.5)  # nothing is to happen
    assert find_job(log.settings, job.id).classified == before.classified < 160
    want(log.settings, job, "running")
    for worker in workers:
        worker.join(20)
        assert worker.error is None
    done = find_job(log.settings, job.id)
    assert (done.state(now()), done.classified, done.ratio) == ("done", 160, 1.0)
    assert {len(same) for same in log.facts(2).values()} == {1}
    with pytest.raises(Refusal, match="is done; there is nothing to change"):
        want(log.settings, done, "paused")


def test_what_changes_during_a_pause_is_seen_after_it(log: ReplayWorld) -> None:
    places = log.add(*(f"m{number} text" for number in range(60)))
    job, worker = paused_in_the_middle(log)
    last = find_job(log.settings, job.id)
    assert set(last.progress) == {0}, "the other partition has been looked at, and not been begun"
    changed = next(number for number, place in enumerate(places) if place.partition == 1)
    log.add(f"m{changed} other text")
    want(log.settings, job, "running")
    worker.join(20)
    assert set(log.facts(2)) == {f"m{number}" for number in range(60)} - {f"m{changed}"}
    assert find_job(log.settings, job.id).skipped == {"newer": 1}


def test_a_job_that_has_ended_is_deleted_with_its_results(log: ReplayWorld) -> None:
    log.add("tea I drink tea")
    kept, job = log.replay(), log.replay()
    facts = log.facts(job.definition.generation)
    cluster = Cluster(log.settings)
    delete(log.settings, find_job(log.settings, job.id), cluster)
    assert [one.id for one in load_jobs(log.settings)] == [kept.id]
    last = {record.key: record.value for record in log.world.read(REPLAYS)}
    assert {value for key, value in last.items() if (key or b"").startswith(job.id.encode())} == {None}
    results = [log.settings.topic_prefix + results_topic(one.id) for one in (kept, job)]
    until(lambda: set(cluster.topics(results)) == {results[0]}, 20)
    assert log.facts(job.definition.generation) == facts
    with pytest.raises(Refusal, match=f"there is no replay {job.id}"):
        revert(log.settings, job.id)


def test_a_worker_that_waited_says_that_it_has_left(log: ReplayWorld) -> None:
    log.add(*(f"m{number} text" for number in range(80)))
    job, worker = paused_in_the_middle(log)
    want(log.settings, job, "cancelled")
    worker.join(20)
    assert states(find_job(log.settings, job.id)) == {"left"}
    delete(log.settings, find_job(log.settings, job.id), Cluster(log.settings))


def test_a_job_that_lost_its_results_can_still_be_deleted(log: ReplayWorld) -> None:
    log.add("tea I drink tea")
    job, cluster = log.replay(), Cluster(log.settings)
    drop_results(cluster, log.settings, job.id)  # as if a deletion had died here
    delete(log.settings, find_job(log.settings, job.id), cluster)
    assert load_jobs(log.settings) == []


def test_a_job_that_has_not_ended_is_not_deleted(log: ReplayWorld) -> None:
    log.add("tea I drink tea")
    cluster = Cluster(log.settings)
    job = start_replay(log.settings, ReplayRequest(shadow=True))

    def refused() -> str:
        with pytest.raises(Refusal) as refusal:
            delete(log.settings, find_job(log.settings, job.id), cluster)
        assert results_info(cluster, log.settings, job.id).partitions == 2
        return str(refusal.value)

    assert refused() == f"replay {job.id} is not done (0%); end it first with: hm replay cancel {job.id}"
    want(log.settings, job, "paused")
    assert "is not done" in refused()
    want(log.settings, job, "cancelled")
    [at] = job.ranges
    said = ReplayStatus(job=job.id, partition=at, worker="here:1", state="running", at=now())
    tell(log.settings, [said])
    assert "worker here:1 has not left" in refused()
    half = ReplayOutcome(job=job.id, state="promoting", generation=2, at=now())
    tell(log.settings, [said.model_copy(update={"state": "left"}), half])
    assert f"is promoting; where that was cut off, end it first with: hm replay promote {job.id}" in refused()
    tell(log.settings, [half.model_copy(update={"state": "promoted"})])
    delete(log.settings, find_job(log.settings, job.id), cluster)


def test_a_cancelled_job_stays_so(log: ReplayWorld) -> None:
    log.add("tea I drink tea")
    job = start_replay(log.settings, ReplayRequest())
    want(log.settings, job, "cancelled")
    assert work(log.settings, job.id, known()).classified == 0
    with pytest.raises(Refusal, match="was cancelled; start another"):
        want(log.settings, find_job(log.settings, job.id), "running")


def test_it_goes_on_where_its_progress_says_and_knows_what_was_found_but_not_noted(log: ReplayWorld) -> None:
    positions = log.add("tea I drink tea", "jazz I like jazz", "chess I play chess", "lake I swim")
    job = log.replay()
    before = log.results(job)
    half = {
        number: ReplayProgress(job=job.id, partition=number, next=span.start, at=now())
        for number, span in job.ranges.items()
    }
    tell(log.settings, list(half.values()))  # as if it had died before it could note anything
    log.classify(positions, known()(log.settings)[0], generation=1)  # what is there now is not what was there then
    again = work(log.settings, job.id, known())
    assert again.finished
    assert {name: len(same) for name, same in log.facts(2).items()} == dict.fromkeys(before, 2)
    assert {name: result.before for name, result in log.results(job).items()} == dict.fromkeys(before)


def test_the_end_is_reached_though_the_last_record_was_compacted_away(log: ReplayWorld) -> None:
    settings = log.settings.model_copy(update={"topic_prefix": f"{log.settings.topic_prefix}compacted."})
    fast = {"segment.ms": "50", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0"}
    make_topics(settings, 1, **fast)
    with replay_world(settings, log.world.folder) as world:
        world.add("tea I drink tea", "jazz first")
        job = start_replay(settings, ReplayRequest(generation=2))
        for version in range(8):  # so that what was last then is gone
            world.add(f"jazz version {version}")
            time.sleep(0.06)
        until(lambda: 1 not in [record.offset for record in world.world.read(MEMORIES)], 30)
        done = work(settings, job.id, known())
        assert done.finished
        assert done.classified == 1
        assert set(world.facts(2)) == {"tea"}


def test_a_classifier_that_is_away_is_waited_for(log: ReplayWorld, tmp_path: Path) -> None:
    log.add("tea I drink tea")
    away = tmp_path / "away"
    away.touch()
    job = start_replay(log.settings, ReplayRequest())
    worker = Hand(log, job.id, Manner(away=str(away)))
    worker.start()
    until(lambda: [said.reason for said in status(log, job.id)] == ["the known classifier is away"], 20)
    away.unlink()
    worker.join(20)
    assert find_job(log.settings, job.id).finished
    assert log.facts(2)["tea"][0].classifiers == answer("tea I drink tea")


def test_the_brake_stops_it_before_anything_of_the_batch_is_sent(log: ReplayWorld) -> None:
    log.add(*(f"m{number} KRYPTONITE" for number in range(12)))
    stream = log.settings.stream.model_copy(update={"brake_in_a_row": 1})
    braked = log.settings.model_copy(update={"stream": stream})
    job = start_replay(log.settings, ReplayRequest())
    with pytest.raises(Refusal, match=r"the replay is braked: 1 records in a row .* hm replay work"):
        work(braked, job.id, known(Manner(fails_on="KRYPTONITE")))
    assert log.world.read(CLASSIFIED) == []
    found = find_job(log.settings, job.id)
    assert found.state(now()) == "braked"
    assert work(log.settings, job.id, known()).finished


def test_it_yields_to_the_live_stream_and_keeps_to_its_rate(log: ReplayWorld) -> None:
    positions = log.add(*(f"m{number} text" for number in range(6)))
    group = f"{log.settings.topic_prefix}{log.settings.stream.group}"
    commit(log, group, dict.fromkeys((at.partition for at in positions), 1))
    job = start_replay(log.settings, ReplayRequest(yield_to_live=0, rate=20))
    worker = Hand(log, job.id, Manner())
    worker.start()
    until(lambda: "yielding" in {said.state for said in status(log, job.id)}, 20)
    assert find_job(log.settings, job.id).classified == 0
    commit(log, group, {at.partition: at.offset + 1 for at in positions})
    worker.join(20)
    assert find_job(log.settings, job.id).finished


def test_the_keys_of_some_memories_make_a_job_of_exactly_these(log: ReplayWorld) -> None:
    log.add("tea I drink tea", "jazz I like jazz")
    job = start_replay(log.settings, ReplayRequest(ReplayFilters(keys=("ann/tea",)), generation=1))
    assert work(log.settings, job.id, known()).classified == 1
    assert set(log.facts(1)) == {"tea"}


def test_more_keys_than_a_definition_takes_make_several_jobs(log: ReplayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    log.add("tea I drink tea", "jazz I like jazz")
    monkeypatch.setattr(redriving, "_AT_ONCE", 1)
    said = redriving.replay_again(log.settings, ["ann/tea", "ann/jazz"])
    assert said == " && ".join(f"hm replay work {job.id}" for job in load_jobs(log.settings))
    assert len(load_jobs(log.settings)) == 2


def test_a_standing_worker_takes_whatever_is_made_and_ends_when_told(log: ReplayWorld) -> None:
    log.add("tea I drink tea")
    paused = start_replay(log.settings, ReplayRequest(shadow=True))
    want(log.settings, paused, "paused")
    first = start_replay(log.settings, ReplayRequest(shadow=True))
    names = {
        "HM_KAFKA__BOOTSTRAP_SERVERS": log.settings.bootstrap_servers,
        "HM_TOPIC_PREFIX": log.settings.topic_prefix,
        "HM_CLASSIFIER__KIND": "rules",
    }
    command = [sys.executable, "-W", "error", "-m", "tests.replay_process", "--all"]
    program = Program.start(
        command, environment(**names, **Manner().env, PYTHONPATH=str(ROOT)), log.world.folder / "log"
    )
    until(lambda: find_job(log.settings, first.id).finished, 30, lambda: program.said)
    second = start_replay(log.settings, ReplayRequest(shadow=True))
    until(lambda: find_job(log.settings, second.id).finished, 30, lambda: program.said)
    assert program.stop() == 0, program.said
    assert not find_job(log.settings, paused.id).progress


def states(job: Job) -> set[str]:
    """What is said of the partitions that are not done."""
    return {job.status[at].state for at in job.left if at in job.status}


def status(log: ReplayWorld, job: str) -> list[ReplayStatus]:
    return list(find_job(log.settings, job).status.values())


def commit(log: ReplayWorld, group: str, offsets: dict[int, int]) -> None:
    """As the live stream would."""
    from confluent_kafka import TopicPartition

    from hybrid_memory.runtime.kafka import make_consumer

    consumer = make_consumer(log.settings, group)
    name = log.world.topic(MEMORIES).name
    consumer.commit(offsets=[TopicPartition(name, at, offset) for at, offset in offsets.items()], asynchronous=False)
    consumer.close()
