"""What can be done with letters that were chosen, whoever asks: plan a redrive, carry it out, drop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hybrid_memory.dlq.choosing import Shelf
from hybrid_memory.dlq.letters import Ref
from hybrid_memory.dlq.plan import Plan, Planner
from hybrid_memory.dlq.reading import Log
from hybrid_memory.dlq.redrivers import redriver_of
from hybrid_memory.dlq.send import Sender
from hybrid_memory.runtime.publisher import Publisher
from hybrid_memory.runtime.settings import Settings


def plan_redrive(planner: Planner, shelves: Sequence[Shelf], values: Mapping[Ref, bytes | None]) -> list[Plan]:
    """A plan for each shelf; `values` has what edited letters say now.

    Raises:
        Unavailable: Kafka does not answer.
    """
    return [
        planner.plan(shelf.chosen, {letter.ref: shelf.view.same_key(letter) for letter in shelf.chosen}, values)
        for shelf in shelves
    ]


def together(plans: Sequence[Plan]) -> Plan:
    """All of them as one, to be shown."""
    return Plan([step for plan in plans for step in plan.steps], [left for plan in plans for left in plan.left])


def redrive(log: Log, shelves: Sequence[Shelf], plans: Sequence[Plan], rate: float | None = None) -> None:
    """Carry the plans out.

    Raises:
        Unavailable: Kafka is away. What was confirmed is done; plan and redrive again for the rest.
        Refusal: Kafka will not have a record.
    """
    if not together(plans).steps:
        return
    _do_again(log.settings, plans)
    with _publisher(log.settings) as publisher:
        for shelf, plan in zip(shelves, plans, strict=True):
            _sender(log, publisher, shelf).redrive(plan.steps, rate)


def drop(log: Log, shelves: Sequence[Shelf], reason: str) -> None:
    """Drop the letters that are chosen, saying why.

    Raises:
        Unavailable: Kafka is away; do it again.
        Refusal: as `redrive`.
    """
    if not any(shelf.chosen for shelf in shelves):
        return
    with _publisher(log.settings) as publisher:
        for shelf in shelves:
            _sender(log, publisher, shelf).drop(shelf.chosen, reason)


def _do_again(settings: Settings, plans: Sequence[Plan]) -> None:
    """Have the stages of letters done again that need that, and note in their steps how."""
    steps = [step for step in together(plans).steps if step.again is not None]
    notes: dict[str, str] = {}
    for stage in {step.letter.why.stage for step in steps}:
        redriver = redriver_of(stage)
        assert redriver is not None
        keys = dict.fromkeys(step.again for step in steps if step.again and step.letter.why.stage == stage)
        notes[stage] = redriver(settings, list(keys))
    for plan in plans:
        plan.steps = [
            step if step.again is None else replace(step, note=notes[step.letter.why.stage]) for step in plan.steps
        ]


def _sender(log: Log, publisher: Publisher, shelf: Shelf) -> Sender:
    return Sender(log, publisher, shelf.topic, shelf.view, shelf.ranges)


def _publisher(settings: Settings) -> Publisher:
    """Takes names as they are on the cluster: dead letters may be of anybody's topic."""
    return Publisher(settings.model_copy(update={"topic_prefix": ""}))
