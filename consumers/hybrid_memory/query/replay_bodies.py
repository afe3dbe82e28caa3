"""What the routes of replays take and give."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hybrid_memory.query.bodies import whole
from hybrid_memory.replay.job import Job, JobState, now
from hybrid_memory.replay.showing import as_dict
from hybrid_memory.replay.starting import ReplayRequest
from hybrid_memory.runtime.settings import ClassifierSettings, Settings
from hybrid_memory.schemas.events import Label, Moment, Offset, UserId
from hybrid_memory.schemas.replays import (
    MachineSource,
    Partition,
    ReplayFilters,
    State,
    Wanted,
)

_ID = "20260801-021455-3f9a"
_DEFINITION: Mapping[str, Any] = {
    "job": _ID,
    "created": "2026-08-01T02:14:55Z",
    "filters": {"users": ["maya"], "keys": [], "stale": False, "labels": [], "sources": []},
    "classifier": {
        "kind": "qwen",
        "model": "Qwen/Qwen2.5-0.5B-Instruct",
        "revision": None,
        "mode": "taxonomy",
        "taxonomy": "3",
        "prompt": None,
    },
    "generation": 2,
    "shadow": True,
    "rate": None,
    "yield_to_live": 100,
}
_PARTITION = {"partition": 4, "start": 0, "end": 1843, "next": 912, "done": False, "classified": 640}
_WORKER = {"worker": "gpu-1:2071", "status": "running", "reason": None, "at": "2026-08-01T02:15:40Z"}
_COUNTS = {"ratio": 0.4948, "classified": 640, "failed": 1, "skipped": {"newer": 31}}
_JOB = {**_DEFINITION, "state": "running", "wanted": "running", **_COUNTS, "partitions": [_PARTITION | _WORKER]}

_File = Annotated[str, Field(min_length=1, max_length=200_000)]
_Count = Annotated[int, BeforeValidator(whole)]


class RangeBody(BaseModel):
    """A partition, or a part of it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    partition: Annotated[Partition, BeforeValidator(whole)]
    start: Annotated[Offset, BeforeValidator(whole)] | None = Field(default=None, description="From this offset.")
    end: Annotated[Offset, BeforeValidator(whole)] | None = Field(default=None, description="To before that one.")


class ReplayBody(BaseModel):
    """A replay that is asked for. What is absent does not matter; without anything it means all memories."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"users": ["maya"], "shadow": True, "yield_to_live": 100}]}
    )

    users: Annotated[list[UserId], Field(max_length=1000)] = Field(default=[], description="Only their memories.")
    since: Moment | None = Field(default=None, description="Appended then or later.")
    until: Moment | None = Field(default=None, description="Appended before then.")
    ranges: Annotated[list[RangeBody], Field(max_length=1000)] = Field(default=[], description="Only these.")
    stale: bool = Field(default=False, description="Only what has no fact of the generation, which is the present one.")
    labels: Annotated[list[Label], Field(max_length=100)] = Field(default=[], description="That have one of these now.")
    sources: list[MachineSource] = Field(default=[], description="Whose classifiers were made by one of these.")
    classifier: Literal["auto", "qwen", "rules"] | None = Field(default=None, description="As the service's settings.")
    model: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    mode: Literal["open", "taxonomy"] | None = None
    taxonomy: _File | None = Field(default=None, description="Labels, as the text of a YAML file.")
    prompt: _File | None = Field(default=None, description="A prompt, as the text of a YAML file.")
    generation: Annotated[_Count, Field(ge=1, lt=2**31)] | None = Field(
        default=None, description="Above that of all facts, but with `stale`. Else the next."
    )
    shadow: bool = Field(default=False, description="Keep what is found, and write no facts.")
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(default=None, description="A second.")
    yield_to_live: Annotated[_Count, Field(ge=0)] | None = Field(
        default=None, description="Wait while the live stream is further behind."
    )

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since is not before until")
        return self

    def to_request(self) -> ReplayRequest:
        """What is asked for."""
        return ReplayRequest(
            filters=ReplayFilters(
                users=tuple(self.users),
                since=self.since,
                until=self.until,
                stale=self.stale,
                labels=tuple(self.labels),
                sources=tuple(self.sources),
            ),
            generation=self.generation,
            shadow=self.shadow,
            rate=self.rate,
            yield_to_live=self.yield_to_live,
            partitions=frozenset(span.partition for span in self.ranges),
            first={span.partition: span.start for span in self.ranges if span.start is not None},
            last={span.partition: span.end for span in self.ranges if span.end is not None},
        )

    def settings(self, settings: Settings, folder: Path) -> Settings:
        """The settings with the classifier that is asked for; its files are put into `folder`."""
        asked = {"kind": self.classifier, "model": self.model, "mode": self.mode}
        for name, text in (("taxonomy", self.taxonomy), ("prompt", self.prompt)):
            if text is not None:
                (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
                asked[name] = str(folder / f"{name}.yaml")
        given = {name: value for name, value in asked.items() if value is not None}
        return settings.model_copy(
            update={"classifier": ClassifierSettings(**{**settings.classifier.model_dump(), **given})}
        )


class WantedBody(BaseModel):
    """What is wanted of a replay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"wanted": "paused"}]})

    wanted: Wanted = Field(description="Cancelled is for good.")


class PartitionReply(BaseModel):
    """How far a partition is, and what its worker says."""

    partition: int
    start: int
    end: int
    next: int
    done: bool
    classified: int
    worker: str | None
    status: State | None
    reason: str | None
    at: datetime | None


class ClassifierReply(BaseModel):
    """Who classifies; of a taxonomy or a prompt other than the shipped one, the version."""

    kind: str
    model: str | None
    revision: str | None
    mode: Literal["open", "taxonomy"]
    taxonomy: str | None
    prompt: str | None


class ReplayReply(BaseModel):
    """A replay as it is now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})

    job: str
    created: datetime
    state: JobState
    wanted: Wanted
    ratio: float = Field(description="How much of what it reads is behind it: from 0 to 1.")
    classified: int
    failed: int = Field(description="Of these, left to the rules.")
    skipped: dict[str, int] = Field(description="Records that were passed over, by reason.")
    generation: int
    shadow: bool
    rate: float | None = None
    yield_to_live: int | None = None
    filters: ReplayFilters
    classifier: ClassifierReply
    partitions: list[PartitionReply]

    @classmethod
    def of(cls, job: Job) -> "ReplayReply":
        return cls.model_validate(as_dict(job, now()))


class ReplaysReply(BaseModel):
    """A page of replays, the oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"replays": [_JOB], "next_cursor": None}]})

    replays: list[ReplayReply]
    next_cursor: str | None = Field(description="Ask with it for the next page; null at the end.")
