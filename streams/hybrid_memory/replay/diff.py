"""`hm replay diff`: reads what a job found, counts it, and lets the index search with it."""

from collections.abc import Iterator
from pathlib import Path

from hybrid_memory.classifier.choose import rule_classifier
from hybrid_memory.classifier.port import Classifier
from hybrid_memory.replay.before import changes
from hybrid_memory.replay.churn import Change
from hybrid_memory.replay.comparison import Comparison, count_up
from hybrid_memory.replay.job import Job, now
from hybrid_memory.replay.overlap import open_searching, read_queries, search_all
from hybrid_memory.replay.results import read_results
from hybrid_memory.replay.store import find_job
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.kafka import Cluster
from hybrid_memory.runtime.reading import shown
from hybrid_memory.runtime.settings import Settings


def compare(settings: Settings, name: str, examples: int = 10, queries: Path | None = None) -> Comparison:
    """What a job changes or has changed, as far as it is.

    Raises:
        Refusal: there is no such job, its results are gone, or the queries cannot be read or searched.
        Unavailable: Kafka does not answer.
    """
    asked = {} if queries is None else read_queries(queries)
    cluster = Cluster(settings)
    job = find_job(settings, name, cluster)
    searching = None if queries is None else open_searching(settings)
    counted = count_up(_changes(settings, cluster, job, rule_classifier(settings)), examples, asked)
    searches = None if searching is None else search_all(searching, asked, counted.of_users)
    return Comparison(job.id, _facts(job), counted.churn, counted.examples, searches)


def _changes(settings: Settings, cluster: Cluster, job: Job, rules: Classifier) -> Iterator[Change]:
    with shown(f"reading what {job.id} found", job.classified) as show:
        for at, change in enumerate(changes(read_results(settings, job.id, cluster), rules), 1):
            yield change
            show(at)


def _facts(job: Job) -> dict[str, str]:
    """What there is to know of a job, in words."""
    definition, outcome = job.definition, job.outcome
    state = job.state(now())
    done = state if job.finished else f"{state}, {job.ratio:.0%} of it read"
    facts = {
        "kind": "shadow" if definition.shadow else "live",
        "state": done if outcome is None else f"{done}, {outcome.state}",
        "generation": str(definition.generation),
        "made": f"{definition.created:%Y-%m-%d %H:%M} UTC",
    }
    return facts | ({"left to the rules": f"{job.failed:,}"} if job.failed else {})


def check_writable(path: Path) -> None:
    """Refuse at once, and not after minutes, what cannot be written. Leaves nothing behind.

    Raises:
        Refusal: it cannot be written.
    """
    new = not path.exists()
    try:
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise Refusal(f"cannot write {path}: {error.strerror}") from None


def save(path: Path, text: str) -> None:
    """Write a file. Raises as `check_writable`."""
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Refusal(f"cannot write {path}: {error.strerror}") from None
