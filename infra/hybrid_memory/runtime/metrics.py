"""Prometheus metrics: one registry a process, made in its wiring, never at import. No user ids as labels."""

from importlib.metadata import version
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

Outcome = Literal["applied", "dead", "answered", "held", "classified", "skipped"]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Every metric of the product, by its attribute. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = self._counter("hm_records", "Records that a stage has dealt with", "stage", "outcome")
        self.dead_letters = self._counter("hm_dead_letters", "Records found to be dead", "stage", "error_class")
        self.batch_size = self._histogram("hm_batch_size", "Records in a batch", _SIZES, "stage")
        self.stage_duration = self._histogram("hm_stage_duration_seconds", "Time of a batch", _SECONDS, "stage")
        self.batch_wait = self._histogram(
            "hm_batch_wait_seconds", "How long a batch that was read waited for its turn", _SECONDS, "stage"
        )
        self.classified_texts = self._counter("hm_classified_texts", "Texts that a classifier has answered")
        self.classified_tokens = self._counter("hm_classified_tokens", "Tokens that a model read and wrote for them")
        self.event_age = self._histogram("hm_event_age_seconds", "Age of a record since its append", _SECONDS, "stage")
        self.time_to_searchable = self._histogram(
            "hm_time_to_searchable_seconds", "Append to searchable", _SECONDS, "speed"
        )
        self.lag = Gauge(
            "hm_consumer_lag_records", "Records not yet applied", ["group", "topic"], registry=self.registry
        )
        self.replay_progress = Gauge(
            "hm_replay_progress_ratio", "How much of what a replay reads is done", ["job"], registry=self.registry
        )
        self.requests = self._histogram("hm_http_request_duration_seconds", "Requests", _SECONDS, "route", "status")
        build = Gauge("hm_build_info", "The running version", ["version"], registry=self.registry)
        build.labels(version("hybrid-memory")).set(1)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
