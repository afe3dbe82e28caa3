"""What `hm mem0 sync` shows: how far it is, what a round came to, and the differences of a dry run."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from hybrid_memory.mem0.reconcile import Tally
from hybrid_memory.mem0.settle import Done
from hybrid_memory.mem0.sync import Display, Round
from hybrid_memory.runtime.console import make_console

_LINE_SECONDS = 5.0
_FRAME_SECONDS = 0.1
_WORTH_A_RATE = 1000
_KINDS = ("missing", "different", "gone", "refused", "waiting")


class Lines:
    """A line on standard error every five seconds."""

    def __init__(self) -> None:
        self._said, self._total = time.monotonic(), 0

    def begin(self, total: int) -> None:
        self._total = total

    def show(self, tally: Tally) -> None:
        if time.monotonic() - self._said >= _LINE_SECONDS:
            self._said = time.monotonic()
            print(f"{tally.listed:,} of {self._total:,} compared, {_kinds(tally)}", file=sys.stderr, flush=True)


@contextmanager
def displayed() -> Iterator[Display]:
    """A bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    with _bar() as bar:
        yield bar


@contextmanager
def _bar() -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[kinds]}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the log", total=None, kinds="")
        shown = 0.0

        class Bar:
            def begin(self, total: int) -> None:
                bar.reset(task, description="comparing with Mem0", total=total, kinds="")

            def show(self, tally: Tally) -> None:
                nonlocal shown
                if time.monotonic() - shown >= _FRAME_SECONDS:
                    shown = time.monotonic()
                    bar.update(task, completed=tally.listed, kinds=_kinds(tally))

        yield Bar()


def print_round(done: Round, published: Done | None, dry_run: bool, as_json: bool) -> None:
    """What a round came to, on standard output; `published`: by the publisher beside it, since it began."""
    if as_json:
        print(json.dumps(_as_json(done, published, dry_run)), flush=True)
        return
    if done.shown:
        _print_table(done)
    print("; ".join(_said(done, published, dry_run)), flush=True)


def _said(done: Round, published: Done | None, dry_run: bool) -> Iterator[str]:
    tally = done.tally
    rate = f" ({tally.listed / done.seconds:,.0f}/s)" if tally.listed >= _WORTH_A_RATE else ""
    yield f"project {done.project}: {tally.listed:,} memories compared in {done.seconds:.1f} s{rate}: {_kinds(tally)}"
    if tally.classifying_seconds:
        yield f"{tally.classified:,} classified, which took the classifier {tally.classifying_seconds:.1f} s"
    if dry_run:
        yield "nothing was changed"
    elif published is None:
        yield f"{tally.hinted:,} hints written; {done.waiting:,} wait for hm mem0 publish"
    else:
        yield f"{published.published:,} published, {published.deleted:,} deleted here"
        if published.dead:
            yield f"{published.dead:,} cannot be memories (hm dlq list)"


def _kinds(tally: Tally) -> str:
    kinds = [kind for kind in _KINDS if tally.kinds[kind] or kind in _KINDS[:3]]
    return ", ".join(f"{tally.kinds[kind]:,} {kind}" for kind in kinds)


def _as_json(done: Round, published: Done | None, dry_run: bool) -> dict[str, Any]:
    tally = done.tally
    about = {
        "project": done.project,
        "listed": tally.listed,
        **{kind: tally.kinds[kind] for kind in _KINDS},
        "hinted": tally.hinted,
        "classified": tally.classified,
        "classifying_seconds": round(tally.classifying_seconds, 3),
        "seconds": round(done.seconds, 3),
    }
    if published is not None:
        return {**about, "published": asdict(published)}
    if dry_run:
        return {**about, "differences": [asdict(one) for one in done.shown]}
    return {**about, "unfollowed_hints": done.waiting}


def _print_table(done: Round) -> None:
    from rich.table import Table

    table = Table(title="What differs between Mem0 and the log")
    for name in ("", "user", "memory", "what"):
        table.add_column(name, overflow="fold")
    for one in done.shown:
        table.add_row(one.kind, one.user_id, one.memory_id, one.what)
    console = make_console()
    console.print(table)
    more = sum(done.tally.kinds[kind] for kind in _KINDS[:4]) - len(done.shown)
    if more > 0:
        console.print(f"and {more:,} more; --limit shows more of them", highlight=False)
