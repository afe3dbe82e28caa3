"""What an evaluation found out: as a table for people and as JSON for programs. Pure."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hybrid_memory.evaluate.measures import Interval, bootstrap, mrr, ndcg, recall
from hybrid_memory.evaluate.questions import Question

if TYPE_CHECKING:
    from rich.table import Table

FIRST = 10
MEASURES = {
    "recall@5": partial(recall, k=5),
    "recall@10": partial(recall, k=10),
    "nDCG@10": partial(ndcg, k=10),
    "MRR@10": partial(mrr, k=10),
}


class Asked(NamedTuple):
    """A question, and the ids that were found, best first, with classifiers and without."""

    question: Question
    with_classifiers: Sequence[str]
    without: Sequence[str]


class Compared(NamedTuple):
    """A measure both ways, and what classifiers add."""

    with_classifiers: Interval
    without: Interval
    gain: Interval


def compare(asked: Sequence[Asked], seed: int) -> dict[str, Compared]:
    """Each measure over all questions, with 95 % intervals of the paired bootstrap."""
    found = {}
    for name, measure in MEASURES.items():
        ours = [measure(one.with_classifiers, one.question.relevant) for one in asked]
        plain = [measure(one.without, one.question.relevant) for one in asked]
        gains = [a - b for a, b in zip(ours, plain, strict=True)]
        found[name] = Compared(bootstrap(ours, seed), bootstrap(plain, seed), bootstrap(gains, seed))
    return found


def to_program(compared: Mapping[str, Compared], about: Mapping[str, Any]) -> dict[str, Any]:
    """The result as JSON has it; numbers to four digits."""
    return {**about, "measures": {name: _rounded(one) for name, one in compared.items()}}


def table(compared: Mapping[str, Compared]) -> "Table":
    """A line a measure."""
    from rich.table import Table

    made = Table(title="hm eval", title_justify="left")
    made.add_column("measure")
    for name in ("with classifiers", "without", "difference"):
        made.add_column(name, justify="right", no_wrap=True)
    for name, one in compared.items():
        made.add_row(name, _said(one.with_classifiers), _said(one.without), _said(one.gain, sign="+"))
    return made


def _said(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.3f}  [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def _rounded(compared: Compared) -> dict[str, dict[str, float]]:
    return {
        name: {part: round(value, 4) for part, value in interval._asdict().items()}
        for name, interval in compared._asdict().items()
    }
