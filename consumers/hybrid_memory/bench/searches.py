"""Searching, beside embedding the query alone; and what each process holds in memory meanwhile."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

from hybrid_memory.bench.api import Api
from hybrid_memory.bench.figures import (
    Figure,
    Target,
    at_least_times,
    at_most,
    at_most_times,
    milliseconds,
    percentile,
    rates,
    times,
)
from hybrid_memory.bench.texts import questions
from hybrid_memory.bench.work import USERS, Work, user

ALONE = "embedder alone"
CLIENTS = 32
_CLIENT_TIMES = 5
_LARGE = 100_000
_RESIDENT, _RESIDENT_HAS = "resident", 100
_MB = 1_000_000


def search(work: Work) -> list[Figure]:
    """One search at a time over HTTP, with and without classifiers, each in turn with the embedder alone."""
    rng = random.Random(work.seed)
    taken: dict[str, list[float]] = {"alone": [], "with": [], "without": []}
    with work.shown.step(f"searches in {work.stored:,} memories", work.samples) as advance:
        for question in questions(work.texts, work.samples, work.seed + work.stored):
            body: dict[str, object] = {"user_id": user(rng.randrange(USERS)), "context": question}
            taken["alone"].append(work.alone.seconds([question]))
            taken["with"].append(_timed(work, body))
            taken["without"].append(_timed(work, {**body, "use_classifiers": False}))
            advance(1)
    reference = milliseconds(taken["alone"], 0.5)
    target = at_most_times(reference, 1.5)
    return [
        times(f"search {kind} classifiers", work.stored, taken[kind], ALONE, reference, target)
        for kind in ("with", "without")
    ]


def neighbours(work: Work) -> list[Figure]:
    """Searches of one user, who has always the same memories, while those of all others grow from size to size."""
    if work.first_alone is None:
        texts = work.texts[:_RESIDENT_HAS]
        work.publish([{"user_id": _RESIDENT, "memory_id": f"r{at}", "text": text} for at, text in enumerate(texts)])
    alone, taken = [], []
    with work.shown.step(f"one user's searches beside {work.stored:,} memories of others", work.samples) as advance:
        for question in questions(work.texts, work.samples, work.seed):
            alone.append(work.alone.seconds([question]))
            taken.append(_timed(work, {"user_id": _RESIDENT, "context": question}))
            advance(1)
    reference = milliseconds(alone, 0.5)
    target = None if work.first_alone is None else at_most_times(reference, round(1.2 * work.first_alone, 2))
    work.first_alone = work.first_alone or milliseconds(taken, 0.5) / reference
    return [times(f"search of {_RESIDENT_HAS} own memories", work.stored, taken, ALONE, reference, target)]


def searchers(work: Work) -> list[Figure]:
    """Many clients that search at once, each one question after another; the embedder alone with as many callers, and
    with one who brings as many texts in one batch."""
    each = max(1, work.samples * _CLIENT_TIMES // CLIENTS)
    asked = questions(work.texts, each * CLIENTS, work.seed)
    shares = [asked[number::CLIENTS] for number in range(CLIENTS)]
    with work.shown.step(f"{CLIENTS} clients that search", each * CLIENTS) as advance:

        def ask(number: int) -> None:
            with Api(work.stack.url) as api:
                for question in shares[number]:
                    api.post("/search", {"user_id": user(number), "context": question})
                    advance(1)

        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(ask, range(CLIENTS)))
        rate = each * CLIENTS / (time.perf_counter() - began)
    lots = [asked[at * CLIENTS : (at + 1) * CLIENTS] for at in range(each)]
    references = {
        f"{CLIENTS} callers of the embedder": len(asked) / work.alone.seconds(asked, CLIENTS),
        f"the embedder, batches of {CLIENTS}": CLIENTS / percentile([work.alone.seconds(lot) for lot in lots], 0.5),
    }
    name = f"{CLIENTS} clients search"
    return [
        rates(name, work.stored, rate, beside, alone, at_least_times(alone, 0.8))
        for beside, alone in references.items()
    ]


def memory(work: Work) -> list[Figure]:
    """The resident memory of each process."""
    import psutil

    figures = []
    for name, pid in work.stack.pids.items():
        held = psutil.Process(pid).memory_info().rss / _MB
        figures.append(Figure(f"memory of {name}", work.stored, held, "MB", target=_most(name, work)))
    return figures


def _most(name: str, work: Work) -> Target | None:
    return at_most(2000, "MB") if name == "serve" and work.stored >= _LARGE else None


def _timed(work: Work, body: dict[str, object]) -> float:
    began = time.perf_counter()
    work.api.post("/search", body)
    return time.perf_counter() - began
