"""Inserting: one memory, many at once, many clients, batches."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hybrid_memory.bench.api import Api
from hybrid_memory.bench.figures import Figure, at_least_times, at_most_times, milliseconds, percentile, rates, times
from hybrid_memory.bench.work import Work
from hybrid_memory.runtime.errors import Refusal

ALONE = "embedder alone"
SEED = "reference system"
_SEED_CLIENTS = 52.0
_SEED_BATCHES = 151.0
CLIENTS = 32
BATCH = 100
_ROUNDS = 3
# How many times the samples of a single thing.
_BULK_TIMES = 15
_CLIENT_TIMES = 5


def one_memory(work: Work) -> list[Figure]:
    """From sending a memory until the index shows it, through Kafka.

    Over HTTP, since that call answers in the moment in which the sink says that the memory is in the index: exact,
    where asking again and again would measure the asking. It includes what HTTP costs, so it flatters nobody. The
    embedder alone is asked in turn with it, so that both see the same machine.
    """
    alone, whole, durable = [], [], []
    with work.shown.step("one memory, from publishing to searchable", work.samples) as advance:
        for first, second in zip(work.memories(work.samples), work.memories(work.samples), strict=True):
            alone.append(work.alone.seconds([first["text"]]))
            whole.append(_timed(work.api, "/add_memory", first))
            durable.append(_timed(work.api, "/add_memory?wait=false", second))
            work.wait_for(second)
            advance(1)
    reference = milliseconds(alone, 0.5)
    target = at_most_times(reference, 1.6, 5, "ms")
    at = work.stored
    return [
        times("one memory, until searchable", at, whole, ALONE, reference, target),
        times("  of it until durable in Kafka", at, durable),
    ]


def bulk(work: Work) -> list[Figure]:
    """Many memories at once through the client, until all are searchable; the embedder alone in turn, on the same."""
    share = max(1, work.samples * _BULK_TIMES // _ROUNDS)
    alone, whole = [], []
    with work.shown.step("bulk, from publishing to searchable", share * _ROUNDS) as advance:
        for _ in range(_ROUNDS):
            some = work.memories(share)
            alone.append(work.alone.seconds([memory["text"] for memory in some]))
            whole.append(work.publish(some))
            advance(share)
    rate, reference = share / percentile(whole, 0.5), share / percentile(alone, 0.5)
    target = at_least_times(reference, 0.8)
    return [rates(f"bulk of {share:,}, until searchable", work.stored, rate, ALONE, reference, target)]


def clients(work: Work) -> list[Figure]:
    """Many clients that insert singly over HTTP, each waiting until its memory is searchable."""
    each = max(1, work.samples * _CLIENT_TIMES // CLIENTS)
    shares = [work.memories(each) for _ in range(CLIENTS)]
    with work.shown.step(f"{CLIENTS} clients that insert singly", each * CLIENTS) as advance:

        def insert(memories: Sequence[dict[str, Any]]) -> list[float]:
            with Api(work.stack.url) as api:
                seconds = []
                for memory in memories:
                    seconds.append(_timed(api, "/add_memory", memory))
                    advance(1)
                return seconds

        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            seconds = [one for done in pool.map(insert, shares) for one in done]
        rate = each * CLIENTS / (time.perf_counter() - began)
    lots = [[memories[number]["text"] for memories in shares] for number in range(each)]
    alone = CLIENTS / percentile([work.alone.seconds(lot) for lot in lots], 0.5)
    target = at_least_times(_SEED_CLIENTS, 4)
    at = work.stored
    return [
        rates(f"{CLIENTS} clients insert singly", at, rate, SEED, _SEED_CLIENTS, target),
        rates(f"  beside embedding {CLIENTS} at once", at, rate, ALONE, alone),
        times("  each of them, until searchable", at, seconds),
    ]


def batches(work: Work) -> list[Figure]:
    """Batches over HTTP, each until it is searchable."""
    count = max(1, work.samples // 10)
    seconds = []
    with work.shown.step(f"batches of {BATCH} over HTTP", count * BATCH) as advance:
        for _ in range(count):
            seconds.append(_timed(work.api, "/add_memories_batch", {"memories": work.memories(BATCH)}))
            advance(BATCH)
    rate = BATCH / percentile(seconds, 0.5)
    return [rates(f"batches of {BATCH} over HTTP", work.stored, rate, SEED, _SEED_BATCHES)]


def _timed(api: Api, path: str, body: Any) -> float:
    began = time.perf_counter()
    reply = api.post(path, body)
    seconds = time.perf_counter() - began
    if "wait=false" not in path and not _searchable(reply):
        raise Refusal(f"POST {path} gave up waiting until the memory is searchable; the machine is too busy to measure")
    return seconds


def _searchable(reply: Any) -> bool:
    return all(one["searchable"] for one in reply.get("results", [reply]))
