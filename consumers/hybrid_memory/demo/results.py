"""What a demo found out, as data: what is printed, and what `--json` says."""

import math
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

Action = Literal["add", "correct", "delete"]


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Write(_Result):
    """One write, timed from the call of the client."""

    action: Action
    memory_id: str
    text: str | None
    classifiers: tuple[str, ...] = ()
    durable_ms: float = Field(description="Until Kafka confirmed it.")
    searchable_ms: float = Field(description="Until a read of the index through the API, made after that, showed it.")


class Hit(_Result):
    """A memory that was found."""

    memory_id: str
    text: str
    score: float
    classifiers: tuple[str, ...] = ()
    topic: str | None = None


class Answer(_Result):
    """One search, what it found, and whether that is what it promised."""

    title: str
    user_id: str
    context: str
    domain: str | None
    look_for: str
    ms: float = Field(description="The whole request, as its caller sees it.")
    hits: tuple[Hit, ...]
    broken: tuple[str, ...] = Field(description="What does not show what was promised, in words.")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kept(self) -> bool:
        """Whether it shows what it promised."""
        return not self.broken


class Upgrade(_Result):
    """One memory before and after the model's classifiers replaced the rules'."""

    memory_id: str
    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    model: str = Field(description="Who made the classifiers that it has now, as its provenance says.")
    state: str = Field(description="`final` once the model's have arrived.")
    waited_s: float


class Spread(_Result):
    """Many times of the same thing, in milliseconds."""

    count: int
    p50: float
    p99: float
    slowest: float
    embedder_share: float | None = Field(
        default=None, description="The part of the total, 0 to 1, that was spent in the embedding model."
    )

    @classmethod
    def of(cls, times: Sequence[float], embedder_ms: float | None = None) -> "Spread":
        """The spread of some times; `embedder_ms` is what all of them together spent embedding."""
        ordered, total = sorted(times), sum(times)
        share = None if embedder_ms is None else min(1.0, embedder_ms / total)
        return cls(
            count=len(ordered),
            p50=_quantile(ordered, 0.5),
            p99=_quantile(ordered, 0.99),
            slowest=ordered[-1],
            embedder_share=share,
        )


class Timings(_Result):
    """How long everything took."""

    kafka_ready_s: float = Field(description="From the start until Kafka answered and had its topics.")
    ready_s: float = Field(description="From the start until the API could do all of its work.")
    durable: Spread
    searchable: Spread
    search: Spread


class Versions(_Result):
    """What ran."""

    hybrid_memory: str
    kafka: str
    embedding_model: str
    python: str


class Report(_Result):
    """A whole demo."""

    versions: Versions
    timings: Timings
    writes: tuple[Write, ...]
    searches: tuple[Answer, ...]
    upgrade: Upgrade | None = Field(default=None, description="Where a model can be had.")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kept(self) -> bool:
        """Whether every search shows what it promised, and the model did its part where there is one."""
        upgraded = self.upgrade is None or self.upgrade.state == "final"
        return upgraded and all(answer.kept for answer in self.searches)


def to_program(report: Report, total_s: float) -> dict[str, Any]:
    """The report as JSON has it; times to the microsecond, shares and scores to four digits."""
    rounded: dict[str, Any] = _rounded(report.model_dump(mode="json"))
    rounded["timings"]["total_s"] = round(total_s, 3)
    return rounded


def _quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest of the times that a part `q` of them does not exceed."""
    return ordered[math.ceil(q * len(ordered)) - 1]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
