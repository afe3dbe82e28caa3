"""`hm bench`, wired."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hybrid_memory.bench.api import Api
from hybrid_memory.bench.embedding import EmbedderAlone
from hybrid_memory.bench.figures import Figure
from hybrid_memory.bench.inserts import batches, bulk, clients, one_memory
from hybrid_memory.bench.mem0 import mem0
from hybrid_memory.bench.progress import Shown
from hybrid_memory.bench.replay import replay
from hybrid_memory.bench.report import as_json, machine, table, verdict
from hybrid_memory.bench.searches import memory, neighbours, search, searchers
from hybrid_memory.bench.stream import stream
from hybrid_memory.bench.texts import made_up, read_texts
from hybrid_memory.bench.work import Work
from hybrid_memory.client import MemoryClient
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.local.stack import throwaway_stack
from hybrid_memory.runtime.console import make_console
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import load_settings

Measure = Callable[[Work], list[Figure]]

AT_EVERY_SIZE: dict[str, Measure] = {"one": one_memory, "search": search, "neighbours": neighbours, "memory": memory}
ONCE: dict[str, Measure] = {"clients": clients, "batches": batches, "bulk": bulk, "searchers": searchers}
BY_NAME: dict[str, Measure] = {"stream": stream, "replay": replay, "mem0": mem0}
"""Measured once, where it is asked for by name."""
NAMES = (*AT_EVERY_SIZE, *ONCE, *BY_NAME)

_MADE_UP = 20_000


def run(
    texts_file: Path | None,
    out: Path | None,
    sizes: Sequence[int],
    only: Sequence[str],
    samples: int,
    seed: int,
    to_stdout: bool,
) -> None:
    """Measure, print the table or JSON, and write JSON to `out`.

    Raises:
        Refusal: the texts cannot be read, a part of the system would not start, or `out` cannot be written.
    """
    texts = read_texts(texts_file) if texts_file else made_up(min(max(sizes) + 100 * samples, _MADE_UP), seed)
    if out is not None:
        _write(out, {})  # refuse at once, not after minutes
    began = time.monotonic()
    figures = _measure(texts, sizes, only or (*AT_EVERY_SIZE, *ONCE), samples, seed)
    about = {
        "machine": machine(),
        "texts": {"from": texts_file.name if texts_file else "made up", "different": len(texts), "seed": seed},
        "samples": samples,
        "seconds": round(time.monotonic() - began, 1),
    }
    _give(figures, about, out, to_stdout)


def run_model(out: Path | None, texts: int, reference_texts: int, seed: int, to_stdout: bool) -> None:
    """Measure the model alone, print the table or JSON, and write JSON to `out`. Raises as `run`."""
    from hybrid_memory.bench.model import about, classify

    if out is not None:
        _write(out, {})
    began, settings = time.monotonic(), load_settings().classifier
    figures = classify(settings, texts, reference_texts, seed, Shown())
    seconds = round(time.monotonic() - began, 1)
    _give(figures, {"machine": machine(), **about(settings), "seed": seed, "seconds": seconds}, out, to_stdout, "texts")


def run_tap(out: Path | None, samples: int, to_stdout: bool) -> None:
    """Measure Mem0 with a tap and without, print the table or JSON, and write JSON to `out`. Raises as `run`."""
    from hybrid_memory.bench.tap import tapped

    if out is not None:
        _write(out, {})
    began = time.monotonic()
    figures = tapped(load_settings(), samples, Shown())
    seconds = round(time.monotonic() - began, 1)
    _give(figures, {"machine": machine(), "samples": samples, "seconds": seconds}, out, to_stdout)


def _measure(texts: Sequence[str], sizes: Sequence[int], only: Sequence[str], samples: int, seed: int) -> list[Figure]:
    shown = Shown()
    settings = load_settings()
    with ExitStack() as stack:
        alone = stack.enter_context(EmbedderAlone())
        progress = stack.enter_context(shown_progress("downloading Kafka"))
        system = stack.enter_context(throwaway_stack(settings, say=shown.say, progress=progress))
        api = stack.enter_context(Api(system.url))
        client = stack.enter_context(MemoryClient(settings=system.settings))
        work = Work(system, api, client, alone, shown, texts, samples, seed)
        return [figure for measure in _plan(work, sorted(sizes), only) for figure in measure(work)]


def _plan(work: Work, sizes: Sequence[int], only: Sequence[str]) -> Iterator[Measure]:
    """Each measurement in its turn; the index is filled up to the next size in between."""
    for number, size in enumerate(sizes):
        work.fill(size)
        yield from (measure for name, measure in AT_EVERY_SIZE.items() if name in only)
        if number == 0:
            yield from (measure for name, measure in (ONCE | BY_NAME).items() if name in only)


def _give(
    figures: Sequence[Figure], about: dict[str, Any], out: Path | None, to_stdout: bool, counted: str = "memories"
) -> None:
    result = as_json(figures, about)
    if out is not None:
        _write(out, result)
    if to_stdout:
        print(json.dumps(result, indent=2))
    else:
        _print(figures, counted)


def _print(figures: Sequence[Figure], counted: str) -> None:
    console = make_console()
    console.print(table(figures, counted))
    console.print(verdict(figures), style="bold", highlight=False)
    console.print("Each figure and what stands beside it were measured in turn, in one run.", style="dim")


def _write(out: Path, result: dict[str, Any]) -> None:
    try:
        out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refusal(f"cannot write {out}: {error.strerror}") from None
