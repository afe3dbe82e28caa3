"""A worker's view of its job: what the topic `replays` says of it now, and what the worker says there."""

import os
import socket
import time
from contextlib import suppress

from hybrid_memory.replay.job import Job, Jobs, now
from hybrid_memory.replay.reading import Reader
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.kafka import TopicInfo
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas import partition_of
from hybrid_memory.schemas.replays import ReplayProgress, ReplayStatus, State, encode_replay

_EVERY_SECONDS = 0.5
_AGAIN_SECONDS = 10.0


class Board:
    """Reads all of a job's records, which stand in one partition, and goes on from there. Not thread-safe."""

    def __init__(self, settings: Settings, topic: TopicInfo, job: str, publisher: Publisher) -> None:
        self._topic, self._job, self._publisher = topic, job, publisher
        self._partition = partition_of(job, topic.partitions)
        self._reader, self._jobs = Reader(settings), Jobs()
        self._position, self._looked = 0, 0.0
        self._said: dict[int, tuple[State, str | None, float]] = {}
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    @property
    def job(self) -> Job:
        """The job as of the last look.

        Raises:
            Refusal: there is none.
        """
        found = self._jobs.get(self._job)
        if found is None:
            raise Refusal(f"there is no replay {self._job}; hm replay list shows them")
        return found

    def look(self) -> Job:
        """The job, as it was less than a second ago. Kafka's absence changes nothing: then it is as it was."""
        if time.monotonic() - self._looked > _EVERY_SECONDS:
            with suppress(Unavailable):
                self.catch_up()
        return self.job

    def catch_up(self) -> Job:
        """The job as it is now.

        Raises:
            Unavailable: Kafka does not answer.
        """
        end = self._reader.end(self._topic.name, self._partition)
        for records in self._reader.read(self._topic.name, self._partition, self._position, end):
            for record in records:
                if (record.key or b"").startswith(self._job.encode() + b"/"):
                    self._jobs.apply(record)
            self._position = self._reader.position
        self._looked = time.monotonic()
        return self.job

    def progress(self, progress: ReplayProgress) -> None:
        """Say how far a partition is, and wait until that is durable. Raises as `Publisher.send_all`."""
        self._publisher.send_all([encode_replay(progress, self._topic.partitions)])

    def say(self, partition: int, state: State, reason: str | None = None) -> None:
        """Say what we do with a partition: when that changes, and every few seconds while it lasts. Does not wait."""
        before = self._said.get(partition)
        if before and before[:2] == (state, reason) and time.monotonic() - before[2] < _AGAIN_SECONDS:
            return
        self._said[partition] = (state, reason, time.monotonic())
        status = ReplayStatus(
            job=self._job, partition=partition, worker=self._worker, state=state, reason=reason, at=now()
        )
        with suppress(Unavailable):
            self._publisher.send(encode_replay(status, self._topic.partitions))

    def leave(self) -> None:
        """Say that we have left the partitions that we spoke for last, but for those that have braked."""
        job = self._jobs.get(self._job)
        for partition, (state, _, _) in list(self._said.items()):
            last = job.status.get(partition) if job else None
            if state not in ("left", "braked") and last is not None and last.worker == self._worker:
                self.say(partition, "left")

    def close(self) -> None:
        """Let go of the connection."""
        self._reader.close()
