"""Dead letters for people and for programs: tables and JSON. Pure, but for what it prints on."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybrid_memory.dlq.editing import laid_out
from hybrid_memory.dlq.letters import Letter
from hybrid_memory.dlq.plan import Plan
from hybrid_memory.runtime.console import make_console

_SHOWN_MESSAGE = 200


@dataclass(slots=True)
class Group:
    """How many letters of one topic died of one class at one stage, and when the first and the last of them did."""

    topic: str
    error_class: str
    stage: str
    count: int
    oldest: datetime
    newest: datetime


def grouped(letters: Iterable[Letter]) -> list[Group]:
    """The letters, counted; the largest group first."""
    groups: dict[tuple[str, str, str], Group] = {}
    for letter in letters:
        key, at = (letter.record.topic, letter.why.error_class, letter.why.stage), letter.failed_at
        group = groups.setdefault(key, Group(*key, 0, at, at))
        group.count += 1
        group.oldest, group.newest = min(group.oldest, at), max(group.newest, at)
    return sorted(groups.values(), key=lambda group: (-group.count, group.topic, group.error_class, group.stage))


def age(since: timedelta) -> str:
    """An age in its largest unit: `5m`."""
    seconds = max(0, int(since.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def printable(data: bytes | str | None) -> str:
    """Text that does nothing to a terminal: what cannot be printed is written as an escape."""
    text = data.decode(errors="backslashreplace") if isinstance(data, bytes) else data or ""
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text
    )


def summary(letter: Letter) -> dict[str, Any]:
    """A letter in a list, as JSON."""
    why, record = letter.why, letter.record
    return {
        "ref": str(letter.ref),
        "key": _text(record.key),
        "class": why.error_class,
        "stage": why.stage,
        "exception": why.exception,
        "message": why.message,
        "source": {"topic": why.topic, "partition": why.partition, "offset": why.offset},
        "redrives": why.redrives,
        "failed_at": letter.failed_at.isoformat(timespec="milliseconds"),
        "left_out": why.left_out,
    }


def whole(letter: Letter) -> dict[str, Any]:
    """All of a letter, as JSON."""
    record = letter.record
    headers = [{"name": name, "value": _text(value)} for name, value in record.headers]
    stack = {"stack": letter.why.stack}
    return {**summary(letter), **stack, "timestamp": record.timestamp, "headers": headers, "value": _text(record.value)}


def print_list(letters: Sequence[Letter], limit: int, now: datetime, as_json: bool) -> None:
    """The letters counted in groups, and the last of them, at most `limit`, one by one."""
    shown = letters[-limit:] if limit else []
    if as_json:
        groups = [
            {
                "topic": group.topic,
                "class": group.error_class,
                "stage": group.stage,
                "count": group.count,
                "oldest": group.oldest.isoformat(timespec="milliseconds"),
                "newest": group.newest.isoformat(timespec="milliseconds"),
            }
            for group in grouped(letters)
        ]
        print(json.dumps({"total": len(letters), "groups": groups, "letters": [summary(it) for it in shown]}, indent=2))
        return
    console = make_console()
    if not letters:
        console.print("no dead letters")
        return
    table = _table("topic", "class", "stage", "letters", "oldest", "newest")
    for group in grouped(letters):
        ages = (age(now - group.oldest), age(now - group.newest))
        _row(table, group.topic, group.error_class, group.stage, f"{group.count:,}", *ages)
    console.print(table)
    if not shown:
        return
    console.print()
    table = _table("letter", "key", "age", "redriven", "why")
    for letter in shown:
        why = letter.why
        told = why.message.partition("\n")[0][:_SHOWN_MESSAGE] or why.exception
        _row(table, str(letter.ref), letter.record.key, age(now - letter.failed_at), str(why.redrives), told)
    console.print(table)
    if len(shown) < len(letters):
        console.print(f"the last {len(shown):,} of {len(letters):,}; --limit shows more")


def print_letter(letter: Letter, now: datetime, as_json: bool) -> None:
    """All of one letter."""
    if as_json:
        print(json.dumps(whole(letter), indent=2))
        return
    why, record, console = letter.why, letter.record, make_console()
    facts = _table("", "")
    facts.show_header = False
    _row(facts, "letter", str(letter.ref))
    _row(facts, "came from", why.place or why.topic or "no header says")
    _row(facts, "key", record.key)
    _row(facts, "class, stage", ", ".join(filter(None, (why.error_class, why.stage))))
    _row(facts, "why", ": ".join(filter(None, (why.exception, why.message))))
    _row(facts, "failed", f"{letter.failed_at.isoformat(timespec='seconds')}, {age(now - letter.failed_at)} ago")
    _row(facts, "redriven", f"{why.redrives} times")
    if why.left_out:
        _row(facts, "left out", f"{why.left_out}: too large; it stands where it came from")
    console.print(facts)
    if why.stack:
        _section(console, "stack", why.stack)
    console.print()
    headers = _table("header", "value")
    for name, value in record.headers:
        if not name.endswith("stacktrace"):
            _row(headers, name, value)
    console.print(headers)
    said = "none: it is a deletion" if record.value is None else printable(laid_out(record.value))
    _section(console, "value", said)


def print_plan(plan: Plan, as_json: bool, done: bool) -> None:
    """What a redrive did, or would do."""
    if as_json:
        steps = [
            {
                "ref": str(step.letter.ref),
                "to": step.record.topic if step.record else None,
                "note": step.note,
                "drops": [str(letter.ref) for letter in step.drops],
            }
            for step in plan.steps
        ]
        left = [{"ref": str(letter.ref), "why": why} for letter, why in plan.left]
        print(json.dumps({"done": done, "redriven": steps, "left": left}, indent=2))
        return
    console, table = make_console(), _table("letter", "to", "")
    for step in plan.steps:
        _row(table, str(step.letter.ref), step.record.topic if step.record else "–", step.note)
    for letter, reason in plan.left:
        _row(table, str(letter.ref), "stays", reason)
    if plan.steps or plan.left:
        console.print(table)
    said = "redriven" if done else "would be redriven"
    console.print(f"{len(plan.steps):,} {said}, {len(plan.left):,} left where they are")


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "letter")
    return table


def _row(table: Table, *cells: bytes | str | None) -> None:
    table.add_row(*(Text(printable(cell)) for cell in cells))


def _section(console: Console, title: str, body: str) -> None:
    console.print(f"\n{title}", style="bold")
    console.print(Text(printable(body).rstrip("\n")), soft_wrap=True)


def _text(data: bytes | None) -> str | None:
    """Bytes as JSON can carry them."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()
