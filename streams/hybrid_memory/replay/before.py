"""What a memory showed before a job: an earlier fact, or what the rules say where there was none."""

from hybrid_memory.classifier.port import Classifier
from hybrid_memory.replay.churn import Change
from hybrid_memory.replay.job import now
from hybrid_memory.schemas import MachineProvenance, MemoryClassified
from hybrid_memory.schemas.replays import ReplayBefore, ReplayResult


def before_of(result: ReplayResult, rules: Classifier) -> ReplayBefore:
    """The earlier fact; without one, the answer of the rules, as generation 0."""
    if result.before is not None:
        return result.before
    [answer] = rules.classify([result.fact.memory.text])
    provenance = MachineProvenance(source="rules", taxonomy=answer.maker.taxonomy, generation=0, at=now())
    return ReplayBefore(classifiers=answer.classifiers, provenance=provenance)


def change_of(result: ReplayResult, rules: Classifier) -> Change:
    """What a job changes on one memory."""
    memory, before = result.fact.memory, before_of(result, rules)
    return Change(
        memory.user_id,
        memory.memory_id,
        memory.text,
        before.classifiers,
        result.fact.classifiers,
        maker(before.provenance),
        maker(result.fact.provenance),
    )


def restored(result: ReplayResult, rules: Classifier, generation: int) -> MemoryClassified:
    """What was before, as a fact of this generation; its provenance still says who made it, and when."""
    before = before_of(result, rules)
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
