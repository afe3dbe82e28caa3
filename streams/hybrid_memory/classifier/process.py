"""A batch of memories to facts: the heart of the stream and of replay. Knows neither Kafka nor Faust."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from hybrid_memory.classifier.halving import STAGE, classify_each
from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.schemas import MachineProvenance, Memory, MemoryClassified, Position


@dataclass(frozen=True, slots=True)
class Task:
    """A memory to classify, and where its record stands in `memories`."""

    memory: Memory
    origin: Position


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fact about one memory. With a `failure` it is the rules' own, and the record is owed a dead letter."""

    fact: MemoryClassified
    failure: Failure | None = None
    tokens: int = 0


def process_batch(
    tasks: Sequence[Task], classifier: Classifier, rules: Classifier, *, generation: int, at: datetime
) -> list[Outcome]:
    """Classify each memory, in their order. A memory that makes the classifier fail is found by halving the batch;
    it alone is left to the rules, and says why.

    Raises:
        Unavailable: the classifier is away for a while; nothing is lost, ask again with the same tasks.
        Refusal: it cannot answer until somebody mends it; nothing is lost either.
    """
    answers = classify_each([task.memory.text for task in tasks], classifier)
    return [_outcome(task, answer, rules, generation, at) for task, answer in zip(tasks, answers, strict=True)]


def _outcome(task: Task, answer: Answer | Failure, rules: Classifier, generation: int, at: datetime) -> Outcome:
    failure = answer if isinstance(answer, Failure) else _fault(answer)
    if isinstance(answer, Answer) and failure is None:
        try:
            return Outcome(_fact(task, answer, generation, at), None, answer.tokens)
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"]
            failure = Failure("schema", "ValidationError", f"the classifier's answer breaks a limit: {said}", STAGE)
    [by_rules] = rules.classify([task.memory.text])
    return Outcome(_fact(task, by_rules, generation, at), failure)


def _fault(answer: Answer) -> Failure | None:
    return None if answer.fault is None else Failure("policy", "Unclassifiable", answer.fault, STAGE)


def _fact(task: Task, answer: Answer, generation: int, at: datetime) -> MemoryClassified:
    maker = answer.maker
    provenance = MachineProvenance(
        source=maker.source,
        model=maker.model,
        revision=maker.revision,
        prompt=maker.prompt,
        taxonomy=maker.taxonomy,
        generation=generation,
        at=at,
    )
    return MemoryClassified(
        memory=task.memory,
        seq=task.origin.offset,
        generation=generation,
        classifiers=answer.classifiers,
        provenance=provenance,
        origin=task.origin,
    )
