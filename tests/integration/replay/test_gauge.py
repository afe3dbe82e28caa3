"""`hm_replay_progress_ratio`: what a scraper sees of replays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from hybrid_memory.replay.delete import delete
from hybrid_memory.replay.gauge import ProgressGauge
from hybrid_memory.replay.job import now
from hybrid_memory.replay.starting import ReplayRequest, start_replay
from hybrid_memory.replay.store import find_job, tell, want
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.replays import ReplayProgress
from tests.e2e.programs import until
from tests.integration.replay.world import ReplayWorld, make_topics


@contextmanager
def scraped(settings: Settings) -> Iterator[Callable[[], dict[str, float]]]:
    """Asks for the ratio of each replay while the context lasts."""
    metrics = Metrics()
    gauge = ProgressGauge(settings, metrics)
    gauge.start()
    try:
        yield lambda: _ratios(metrics)
    finally:
        gauge.stop()


def _ratios(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    [samples] = [family.samples for family in families if family.name == "hm_replay_progress_ratio"]
    return {sample.labels["job"]: sample.value for sample in samples}


def test_each_replay_has_a_series_until_it_is_cancelled_or_deleted(log: ReplayWorld) -> None:
    log.add(*(f"m{number} text" for number in range(20)))
    done, other = log.replay(), start_replay(log.settings, ReplayRequest())
    with scraped(log.settings) as shown:
        until(lambda: shown() == {done.id: 1.0, other.id: 0.0}, 20, lambda: str(shown()))
        tell(log.settings, [ReplayProgress(job=other.id, partition=0, next=1, done=True, at=now())])
        until(lambda: 0 < shown()[other.id] < 1, 20)
        want(log.settings, other, "cancelled")
        until(lambda: shown() == {done.id: 1.0}, 20)
        delete(log.settings, find_job(log.settings, done.id), Cluster(log.settings))
        until(lambda: shown() == {}, 20)


def test_the_topic_may_come_later(log: ReplayWorld) -> None:
    later = log.settings.model_copy(update={"topic_prefix": f"{log.settings.topic_prefix}later."})
    with scraped(later) as shown:
        assert shown() == {}
        make_topics(later)
        job = start_replay(later, ReplayRequest())
        until(lambda: shown() == {job.id: 1.0}, 20)  # there is nothing to read
