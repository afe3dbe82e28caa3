"""From a classifier and a topic to a running Faust app, and to its clean end."""

import asyncio
import threading
from collections.abc import Collection, Coroutine
from typing import Any

from faust.exceptions import ConsumerNotStarted

from hybrid_memory.classifier.stream.app import make_app
from hybrid_memory.classifier.stream.consumer import StreamApp
from hybrid_memory.classifier.stream.ending import die
from hybrid_memory.classifier.stream.kafka_keys import Connection
from hybrid_memory.classifier.stream.pipeline import Pipeline
from hybrid_memory.classifier.stream.progress import Progress
from hybrid_memory.classifier.stream.report import Report
from hybrid_memory.classifier.stream.status import Status
from hybrid_memory.classifier.stream.watchdog import Watchdog
from hybrid_memory.classifier.stream.work import Work
from hybrid_memory.runtime.deadletters import Brake
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.metrics import Metrics
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings

_LOOK_SECONDS = 0.1
_DELIVERY_SECONDS = 10.0
_COMMIT_SECONDS = 5.0
_STOP_SECONDS = 10.0
_REFUSED = 2


class Follower:
    """Reads `memories` in a consumer group, and works on what it reads."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        cluster: Cluster,
        work: Work,
        metrics: Metrics,
        status: Status,
        report: Report,
    ) -> None:
        self._settings, self._connection, self._cluster = settings, connection, cluster
        self._work, self._metrics, self._status, self._report = work, metrics, status, report

    async def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set; then finish what was begun, commit it and leave the group.

        Raises:
            Refusal: the brake has pulled, or nothing can be done until somebody mends it.
        """
        stream, progress = self._settings.stream, Progress()
        group = self._settings.topic_prefix + stream.group
        brake = Brake(stream.brake_window, stream.brake_share, stream.brake_in_a_row)
        with Publisher(self._settings, _DELIVERY_SECONDS, **{"linger.ms": 5}) as publisher:
            pipeline = Pipeline(self._work, publisher, brake, progress, self._status, self._report)
            size = stream.batch_size or self._work.classifier.batch_size
            app = make_app(self._connection, group, self._work.topic.name, size, stream.wait_seconds, pipeline.take)
            watchdog = Watchdog(
                self._cluster,
                self._work.topic,
                group,
                lambda: _assigned(app),
                progress,
                self._status,
                self._metrics,
                stream.stuck_seconds,
            )
            watchdog.start()
            await self._while_it_runs(app, pipeline, stop)
            self._status.become("stopping")
            await pipeline.close()
            watchdog.stop()
            await _leave(app, pipeline.refusal)
            watchdog.join()
        if pipeline.refusal is not None:
            raise pipeline.refusal

    async def _while_it_runs(self, app: StreamApp, pipeline: Pipeline, stop: threading.Event) -> None:
        self._status.become("starting", "joining the group")
        starting = asyncio.create_task(app.start())
        running = False
        while not stop.is_set() and pipeline.refusal is None:
            if app.crashed or (starting.done() and starting.exception() is not None):
                die("its Kafka client has failed", app.crash_reason or starting.exception())
            if starting.done() and not running:
                running = True
                self._status.become("running")
            await asyncio.sleep(_LOOK_SECONDS)


async def _leave(app: StreamApp, refused: Refusal | None) -> None:
    """Commit, freeze, stop; where Kafka does not answer, the end comes without it: nothing is lost by that."""
    await _within(_COMMIT_SECONDS, app.reader.commit())
    app.reader.freeze()
    if not await _within(_STOP_SECONDS, app.stop()):
        die(str(refused or "it could not leave its group"), code=_REFUSED if refused else 0)


async def _within(seconds: float, coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Whether this ended well in so many seconds. Longer it is not waited for: Faust does not heed a cancellation."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.wait({task}, timeout=seconds)
    return task.done() and not task.cancelled() and task.exception() is None


def _assigned(app: StreamApp) -> Collection[int]:
    """The partitions that are ours. May be asked from any thread."""
    try:
        return {tp.partition for tp in app.consumer.assignment()}
    except (ConsumerNotStarted, RuntimeError):  # not yet started, or changing just now
        return ()
