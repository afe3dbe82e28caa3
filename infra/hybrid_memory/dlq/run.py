"""What `hm dlq redrive` and `hm dlq drop` do, from the choice of letters to the last null."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from hybrid_memory.dlq import actions
from hybrid_memory.dlq.candidates import CLASSIFY, EDITED, Unfit, check_allowed
from hybrid_memory.dlq.choosing import Shelf, by_filter, by_refs, check_choice
from hybrid_memory.dlq.editing import edit
from hybrid_memory.dlq.letters import Filter, Ref
from hybrid_memory.dlq.plan import Plan, Planner, refuse_if_left
from hybrid_memory.dlq.reading import Log
from hybrid_memory.dlq.send import check_reason
from hybrid_memory.dlq.showing import print_plan
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters the command line means."""

    refs: Sequence[str]
    everything: bool
    topic: str | None
    wanted: Filter

    def shelves(self, log: Log) -> list[Shelf]:
        """What it means, read from the log."""
        check_choice(self.refs, self.everything, self.wanted)
        if self.refs and self.topic is not None:
            raise Refusal("a letter's name says its topic; leave --topic away")
        return by_refs(log, self.refs) if self.refs else by_filter(log, self.topic, self.wanted, keep_values=True)


@dataclass(frozen=True, slots=True)
class Redrive:
    """The options of `hm dlq redrive`."""

    edit: bool = False
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False
    rate: float | None = None
    max_redrives: int = 3
    to: str | None = None


def redrive(settings: Settings, choice: Choice, options: Redrive) -> int:
    """Append letters again and drop them; the exit code: 1 where some had to stay.

    Raises:
        Refusal: what was asked cannot be done; nothing was sent.
        Unavailable: Kafka is away. What was confirmed is done; call it again for the rest.
    """
    if options.edit and len(choice.refs) != 1:
        raise Refusal("--edit takes one letter, by its TOPIC:PARTITION:OFFSET")
    log = Log(settings)
    shelves = choice.shelves(log)
    values, file = _edited(shelves, options) if options.edit else ({}, None)
    planner = Planner(log, options.max_redrives, options.to)
    plans = actions.plan_redrive(planner, shelves, values)
    whole = actions.together(plans)
    if choice.refs:
        _refuse(whole, file)
    if options.dry_run or not whole.steps:
        if file is not None:
            file.unlink()
        print_plan(whole, options.as_json, done=not options.dry_run)
        return 1 if whole.left else 0
    count = sum(len(step.drops) for step in whole.steps)
    kept = f"; what you wrote is in {file}" if file else ""
    _confirm(f"append {len(whole.steps):,} again and drop {count:,} dead letters", options.yes, kept)
    actions.redrive(log, shelves, plans, options.rate)
    if file is not None:
        file.unlink()
    print_plan(actions.together(plans), options.as_json, done=True)
    return 1 if whole.left else 0


def drop(settings: Settings, choice: Choice, reason: str, yes: bool, as_json: bool) -> None:
    """Drop letters, saying why.

    Raises:
        Refusal: what was asked cannot be done; nothing was dropped.
        Unavailable: Kafka is away; call it again.
    """
    reason = check_reason(reason)
    log = Log(settings)
    shelves = choice.shelves(log)
    count = sum(len(shelf.chosen) for shelf in shelves)
    if count:
        _confirm(f"drop {count:,} dead letters for good", yes)
        actions.drop(log, shelves, reason)
    dropped = [str(letter.ref) for shelf in shelves for letter in shelf.chosen]
    typer.echo(json.dumps({"dropped": dropped}, indent=2) if as_json else f"{count:,} dropped")


def _edited(shelves: list[Shelf], options: Redrive) -> tuple[dict[Ref, bytes | None], Path]:
    [letter] = shelves[0].chosen
    try:
        if letter.why.stage == CLASSIFY:
            raise Unfit(EDITED)
        check_allowed(letter, options.max_redrives)
    except Unfit as error:
        raise Refusal(f"{letter.ref}: {error}. Nothing was sent") from None
    value, file = edit(letter.record.value)
    return {letter.ref: value}, file


def _refuse(plan: Plan, file: Path | None) -> None:
    try:
        refuse_if_left(plan)
    except Refusal as error:
        raise Refusal(f"{error}; what you wrote is in {file}" if file else str(error)) from None


def _confirm(what: str, yes: bool, kept: str = "") -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refusal(f"this would {what}; say --yes, since there is no terminal to ask on{kept}")
    if not typer.confirm(f"{what}?", err=True):
        raise Refusal(f"nothing was done{kept}")
