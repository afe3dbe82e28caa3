"""What a memory showed before a job: an earlier fact, or what the rules say where there was none."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.replay.churn import Change
from hybrid_memory.replay.job import now
from hybrid_memory.schemas import MachineProvenance, MemoryClassified
from hybrid_memory.schemas.replays import ReplayBefore, ReplayResult


def befores(results: Sequence[ReplayResult], rules: Classifier) -> list[ReplayBefore]:
    """The earlier fact of each; without one, what the sink's own rules say, as generation 0. The rules are asked once
    for all, since they may embed."""
    texts = [result.fact.memory.text for result in results if result.before is None]
    answers = iter(rules.classify(texts) if texts else ())
    return [result.before or _by_rules(next(answers)) for result in results]


def changes(results: Iterable[ReplayResult], rules: Classifier) -> Iterator[Change]:
    """What a job changes on each memory."""
    waiting = iter(results)
    while some := list(islice(waiting, rules.batch_size)):
        yield from map(_change, some, befores(some, rules))


def restored(results: Sequence[ReplayResult], rules: Classifier, generation: int) -> list[MemoryClassified]:
    """What was before, as facts of this generation; their provenance still says who made it, and when."""
    return [
        _restored(result, before, generation) for result, before in zip(results, befores(results, rules), strict=True)
    ]


def _by_rules(answer: Answer) -> ReplayBefore:
    provenance = MachineProvenance(source="rules", taxonomy=answer.maker.taxonomy, generation=0, at=now())
    return ReplayBefore(classifiers=answer.classifiers, provenance=provenance)


def _change(result: ReplayResult, before: ReplayBefore) -> Change:
    memory = result.fact.memory
    return Change(
        memory.user_id,
        memory.memory_id,
        memory.text,
        before.classifiers,
        result.fact.classifiers,
        maker(before.provenance),
        maker(result.fact.provenance),
    )


def _restored(result: ReplayResult, before: ReplayBefore, generation: int) -> MemoryClassified:
    return MemoryClassified(
        memory=result.fact.memory,
        seq=result.fact.seq,
        generation=generation,
        classifiers=before.classifiers,
        provenance=before.provenance.model_copy(update={"generation": generation}),
        origin=result.fact.origin,
    )


def maker(provenance: MachineProvenance) -> str:
    """Who made classifiers, in a few words: `rules, taxonomy 2` or `Qwen2.5-0.5B-Instruct, prompt 1, generation 1`."""
    name = "rules" if provenance.source == "rules" else (provenance.model or "a model").rpartition("/")[2]
    parts = [
        name,
        provenance.prompt and f"prompt {provenance.prompt}",
        provenance.taxonomy and f"taxonomy {provenance.taxonomy}",
        provenance.generation and f"generation {provenance.generation}",
    ]
    return ", ".join(str(part) for part in parts if part)
