"""What is said of a replay: the values of the topics `replays` and `replays.results.<job>`, and their records.

A job's definition never changes. What is wanted of it is the operator's to say; status and progress of a partition are
said by the worker who has it. Each has a key of its own, so that nobody overwrites anybody.
"""

import re
from dataclasses import replace
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hybrid_memory.schemas.codec import event_headers, to_json, validated
from hybrid_memory.schemas.errors import DecodeError
from hybrid_memory.schemas.events import (
    Classifiers,
    Label,
    MachineProvenance,
    MemoryClassified,
    Moment,
    Offset,
    UserId,
)
from hybrid_memory.schemas.identity import partition_of
from hybrid_memory.schemas.records import NewRecord, Record

REPLAYS = "replays"
RESULTS = "replays.results"
SOURCE = "urn:hybrid-memory:replay"

JobId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Partition = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=0)]
MachineSource = Literal["rules", "llm"]
Wanted = Literal["running", "paused", "cancelled"]
State = Literal["scanning", "running", "yielding", "retrying", "waiting", "paused", "braked", "left"]
Standing = Literal["promoting", "promoted", "reverting", "reverted"]

_TYPE = "io.hybrid-memory."
_V = TypeVar("_V", bound=BaseModel)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ReplayFilters(_Value):
    """Which memories a replay means. What is empty or absent does not matter; what is given must all be so."""

    users: tuple[UserId, ...] = Field(default=(), description="Memories of these users.")
    keys: tuple[str, ...] = Field(default=(), description="Exactly these memories, by their keys.")
    since: Moment | None = Field(default=None, description="Appended then or later.")
    until: Moment | None = Field(default=None, description="Appended before then.")
    stale: bool = Field(default=False, description="Only memories without a fact of the job's generation or a later.")
    labels: tuple[Label, ...] = Field(default=(), description="Memories that have one of these classifiers now.")
    sources: tuple[MachineSource, ...] = Field(
        default=(), description="Whose classifiers were last made by one of these."
    )


class ReplayFile(_Value):
    """A taxonomy or a prompt, whole: a worker anywhere, a month later, needs no file."""

    version: str
    text: str


class ReplayClassifier(_Value):
    """Who is to classify. What is absent is as the settings of a worker say."""

    kind: str = Field(description="auto, qwen, rules or the URL of a server.")
    model: str | None = None
    revision: str | None = None
    mode: Literal["open", "taxonomy"] = "open"
    taxonomy: ReplayFile | None = Field(default=None, description="Absent: the shipped one.")
    prompt: ReplayFile | None = Field(default=None, description="Absent: the shipped one.")


class ReplayRange(_Value):
    """What a job reads of a partition of `memories`: from `start` to before `end`, both fixed when it was made."""

    partition: Partition
    start: Offset
    end: Offset

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.start > self.end:
            raise ValueError("start lies beyond end")
        return self


class ReplayDefinition(_Value):
    """A replay, as it was asked for: the value of a record of `replays`."""

    job: JobId = Field(description="Its id.")
    kind: Literal["replay"] = Field(default="replay", description="What sort of job it is.")
    created: Moment = Field(description="When it was made; its offsets are of that moment.")
    topic_id: str = Field(description="Kafka's own id of `memories`: a topic made anew is another log.")
    ranges: tuple[ReplayRange, ...] = Field(description="What is read, one for each partition that has anything.")
    filters: ReplayFilters = Field(default=ReplayFilters(), description="Which memories are meant.")
    classifier: ReplayClassifier = Field(description="Who classifies.")
    generation: Annotated[int, Field(ge=1, lt=2**31)] = Field(description="Of the facts that it makes.")
    shadow: bool = Field(default=False, description="Keep what it finds in its own topic, and write no facts.")
    rate: Annotated[float, Field(gt=0)] | None = Field(default=None, description="At most so many memories a second.")
    yield_to_live: Count | None = Field(
        default=None, description="Wait while the live stream has more records than this before it."
    )


class ReplayWanted(_Value):
    """What is wanted of a job."""

    job: JobId = Field(description="Of which.")
    wanted: Wanted = Field(description="Cancelled is for good.")
    at: Moment = Field(description="Since when.")


class ReplayProgress(_Value):
    """How far a job is in one partition: all before `next` is done, and durable."""

    job: JobId = Field(description="Of which.")
    partition: Partition = Field(description="Of `memories`.")
    next: Offset = Field(description="The offset to go on from.")
    done: bool = Field(default=False, description="Whether the end of its range was reached.")
    results: Offset = Field(default=0, description="The offset of the job's own topic after what it has found by then.")
    classified: Count = Field(default=0, description="Memories classified.")
    failed: Count = Field(default=0, description="Those of them that were left to the rules.")
    skipped: dict[str, Count] = Field(default_factory=dict, description="Records that were passed over, by reason.")
    seconds: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Time spent on it.")
    at: Moment = Field(description="When this was so.")


class ReplayStatus(_Value):
    """What a worker does with a partition."""

    job: JobId = Field(description="Of which.")
    partition: Partition = Field(description="Of `memories`.")
    worker: str = Field(description="Who says so: host and process.")
    state: State = Field(description="`left` where it was given up or finished.")
    reason: str | None = Field(default=None, description="Why, where that needs a reason.")
    at: Moment = Field(description="When; said again every few seconds while it lasts.")


class ReplayOutcome(_Value):
    """What an operator made of what a job found. Its facts are told by their generation."""

    job: JobId = Field(description="Of which.")
    state: Standing = Field(description="promoting and reverting: begun, and to be called again where it was cut off.")
    generation: Annotated[int, Field(ge=1, lt=2**31)] = Field(description="Of the facts that were emitted.")
    emitted: Count = Field(default=0, description="Facts that were emitted, by this call or one before.")
    left: dict[str, Count] = Field(default_factory=dict, description="Memories that were left as they are, by reason.")
    at: Moment = Field(description="When this was so.")


class ReplayBefore(_Value):
    """The best earlier fact of the same version of a memory."""

    classifiers: Classifiers
    provenance: MachineProvenance


class ReplayResult(_Value):
    """What a job found for one memory, and what that replaces: the value of a record of `replays.results.<job>`."""

    job: JobId = Field(description="Which found it.")
    fact: MemoryClassified = Field(description="What was found, with the memory as it was.")
    before: ReplayBefore | None = Field(default=None, description="Absent: there were only the sink's own rules.")
    failure: str | None = Field(default=None, description="Why the memory was left to the rules, where it was.")

    @property
    def key(self) -> str:
        """The memory's key: a job has one result for each."""
        return self.fact.memory.key


ReplayEvent = ReplayDefinition | ReplayWanted | ReplayProgress | ReplayStatus | ReplayOutcome
MESSAGES: dict[type[BaseModel], str] = {
    ReplayDefinition: "replay.defined.v1",
    ReplayWanted: "replay.wanted.v1",
    ReplayProgress: "replay.progressed.v1",
    ReplayStatus: "replay.status.v1",
    ReplayOutcome: "replay.outcome.v1",
    ReplayResult: "replay.result.v1",
}
"""Each message's name with its version."""
_KINDS: dict[str, type[ReplayEvent]] = {
    "definition": ReplayDefinition,
    "wanted": ReplayWanted,
    "progress": ReplayProgress,
    "status": ReplayStatus,
    "outcome": ReplayOutcome,
}


def results_topic(job: str) -> str:
    """The topic of a job's results, without the prefix."""
    return f"{RESULTS}.{job}"


def encode_replay(event: ReplayEvent, partitions: int) -> NewRecord:
    """The record of `replays` that says `event`. All records of a job stand in one partition, in order."""
    headers = event_headers(_TYPE + MESSAGES[type(event)], event.job, SOURCE)
    return NewRecord(REPLAYS, replay_key(event).encode(), to_json(event), headers, partition_of(event.job, partitions))


def encode_taken_back(event: ReplayEvent, partitions: int) -> NewRecord:
    """The record of `replays` that takes back what the key of `event` says."""
    return replace(encode_replay(event, partitions), value=None)


def replay_key(event: ReplayEvent) -> str:
    """`job/definition`, `job/wanted`, `job/progress/partition`, `job/status/partition` or `job/outcome`."""
    kind = next(name for name, model in _KINDS.items() if isinstance(event, model))
    part = f"/{event.partition}" if isinstance(event, ReplayProgress | ReplayStatus) else ""
    return f"{event.job}/{kind}{part}"


def decode_replay(record: Record) -> ReplayEvent | None:
    """What a record of `replays` says; None where it takes back what its key said.

    Raises:
        DecodeError: it can never be read; the message says what is wrong with which field.
    """
    match = re.fullmatch(rb"([a-z0-9-]+)/([a-z]+)(/\d+)?", record.key or b"")
    if match is None or match[2].decode() not in _KINDS:
        raise DecodeError("poison", f"the key {record.key!r} is none of a replay")
    if record.value is None:
        return None
    event = validated(_KINDS[match[2].decode()], record.value)
    if replay_key(event).encode() != record.key:
        raise DecodeError("schema", f"the key says {record.key!r}, the value {replay_key(event)}")
    return event


def encode_result(result: ReplayResult) -> NewRecord:
    """The record of the job's own topic that says `result`, in its memory's partition."""
    headers = event_headers(_TYPE + MESSAGES[ReplayResult], result.fact.memory.memory_id, SOURCE)
    at = result.fact.origin.partition
    return NewRecord(results_topic(result.job), result.key.encode(), to_json(result), headers, at)


def decode_result(record: Record) -> ReplayResult:
    """What a record of a job's topic says.

    Raises:
        DecodeError: it can never be read.
    """
    if record.value is None:
        raise DecodeError("poison", "a result has a value")
    result = validated(ReplayResult, record.value)
    if result.key.encode() != record.key:
        raise DecodeError("schema", f"the key says {record.key!r}, the value {result.key}")
    return result
